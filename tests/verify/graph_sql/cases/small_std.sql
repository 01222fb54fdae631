-- The graph of small.sql for dialects in which a label has the same properties on every table.
CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(20), age INTEGER, town VARCHAR(20));
INSERT INTO person VALUES (1, 'Ann', 30, 'Oslo'), (2, 'Bob', NULL, 'Oslo'), (3, 'Ann', 41, NULL), (4, 'Dan', 19, 'Rome');
CREATE TABLE firm (id INTEGER PRIMARY KEY, name VARCHAR(20), staff INTEGER);
INSERT INTO firm VALUES (1, 'Acme', 12), (2, 'Bolt', 3);
CREATE TABLE account (bank VARCHAR(4), no INTEGER, balance NUMERIC(10, 2), PRIMARY KEY (bank, no));
INSERT INTO account VALUES ('A', 1, 100), ('A', 2, 50.5), ('B', 1, 0), ('B', 2, NULL);
CREATE TABLE knows (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, since INTEGER);
-- 1->2 twice (parallel), 2->3, 3->3 (self-loop), 3->1 (back), 2->NULL and 2->9 (dangling)
INSERT INTO knows VALUES (1, 1, 2, 2001), (2, 1, 2, 2002), (3, 2, 3, NULL), (4, 3, 3, 2004), (5, 3, 1, 2005), (6, 2, NULL, 2006), (7, 2, 9, 2007);
CREATE TABLE person_owns (person_id INTEGER, bank VARCHAR(4), no INTEGER, share NUMERIC(5, 2), PRIMARY KEY (person_id, bank, no));
INSERT INTO person_owns VALUES (1, 'A', 1, 1), (2, 'A', 2, 0.5), (3, 'A', 2, 0.5);
CREATE TABLE firm_owns (firm_id INTEGER, bank VARCHAR(4), no INTEGER, PRIMARY KEY (firm_id, bank, no));
INSERT INTO firm_owns VALUES (1, 'B', 1);
CREATE TABLE moves (id INTEGER PRIMARY KEY, from_bank VARCHAR(4), from_no INTEGER, to_bank VARCHAR(4), to_no INTEGER, amount INTEGER);
INSERT INTO moves VALUES (1, 'A', 1, 'A', 2, 10), (2, 'A', 1, 'A', 2, 10), (3, 'A', 2, 'B', 1, 20), (4, 'B', 1, 'B', 1, 5), (5, 'B', 1, 'A', 1, 30);
CREATE PROPERTY GRAPH g
  VERTEX TABLES (
    person LABEL person PROPERTIES (id, name, age, town) LABEL party PROPERTIES (id, name),
    firm LABEL firm PROPERTIES (id, name, staff) LABEL party PROPERTIES (id, name),
    account LABEL account PROPERTIES (bank, no, balance, balance * 2 AS double_balance)
  )
  EDGE TABLES (
    knows SOURCE KEY (a) REFERENCES person (id) DESTINATION KEY (b) REFERENCES person (id)
      LABEL knows PROPERTIES (id, since),
    person_owns SOURCE KEY (person_id) REFERENCES person (id) DESTINATION KEY (bank, no) REFERENCES account (bank, no)
      LABEL owns NO PROPERTIES,
    firm_owns SOURCE KEY (firm_id) REFERENCES firm (id) DESTINATION KEY (bank, no) REFERENCES account (bank, no)
      LABEL owns NO PROPERTIES,
    moves SOURCE KEY (from_bank, from_no) REFERENCES account (bank, no)
      DESTINATION KEY (to_bank, to_no) REFERENCES account (bank, no)
      LABEL moves PROPERTIES (id, amount)
  );
