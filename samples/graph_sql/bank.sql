-- A small bank: people and companies own accounts, accounts send transfers, people work for companies.
-- On purpose: namesakes (two people called Ana Ruiz), joint accounts, parallel transfers (1 and 6, 3 and 11),
-- a transfer to itself (8), unknown cities, balances, salaries and memos, a person and an account without any edge.

CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  name VARCHAR(40) NOT NULL,
  city VARCHAR(30),
  birth_year INTEGER
);

INSERT INTO person (id, name, city, birth_year) VALUES
  (1, 'Ana Ruiz', 'Lisbon', 1984),
  (2, 'Ben Okafor', 'Leeds', 1990),
  (3, 'Chen Wei', 'Shenzhen', 1979),
  (4, 'Dora Lind', NULL, 1995),
  (5, 'Ana Ruiz', 'Porto', 1962),
  (6, 'Emil Novak', 'Leeds', NULL),
  (7, 'Femke Bos', 'Utrecht', 2001);

CREATE TABLE company (
  id INTEGER PRIMARY KEY,
  name VARCHAR(40) NOT NULL,
  city VARCHAR(30),
  sector VARCHAR(20)
);

INSERT INTO company (id, name, city, sector) VALUES
  (1, 'Northwind Mills', 'Leeds', 'food'),
  (2, 'Harbour Freight', 'Porto', 'shipping'),
  (3, 'Quiet Holdings', NULL, NULL);

CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  kind VARCHAR(10) NOT NULL,
  balance NUMERIC(10, 2),
  opened DATE NOT NULL
);

INSERT INTO account (id, kind, balance, opened) VALUES
  (101, 'current', 2500.00, DATE '2019-03-01'),
  (102, 'savings', 12000.00, DATE '2020-07-15'),
  (103, 'current', 340.50, DATE '2021-01-10'),
  (104, 'business', 58000.00, DATE '2018-11-30'),
  (105, 'business', 7200.00, DATE '2022-05-05'),
  (106, 'current', NULL, DATE '2023-02-20'),
  (107, 'savings', 900.00, DATE '2017-09-09'),
  (108, 'escrow', 150000.00, DATE '2024-01-02'),
  (109, 'current', 0.00, DATE '2024-06-01');

CREATE TABLE person_account (
  person_id INTEGER NOT NULL REFERENCES person (id),
  account_id INTEGER NOT NULL REFERENCES account (id),
  since INTEGER,
  PRIMARY KEY (person_id, account_id)
);

INSERT INTO person_account (person_id, account_id, since) VALUES
  (1, 101, 2019),
  (1, 102, 2020),
  (2, 103, 2021),
  (3, 106, 2023),
  (4, 107, 2017),
  (5, 107, 2022),
  (6, 103, NULL);

CREATE TABLE company_account (
  company_id INTEGER NOT NULL REFERENCES company (id),
  account_id INTEGER NOT NULL REFERENCES account (id),
  since INTEGER,
  PRIMARY KEY (company_id, account_id)
);

INSERT INTO company_account (company_id, account_id, since) VALUES
  (1, 104, 2018),
  (2, 105, 2022),
  (3, 108, 2024);

CREATE TABLE employment (
  person_id INTEGER NOT NULL REFERENCES person (id),
  company_id INTEGER NOT NULL REFERENCES company (id),
  job VARCHAR(20),
  salary INTEGER,
  PRIMARY KEY (person_id, company_id)
);

INSERT INTO employment (person_id, company_id, job, salary) VALUES
  (1, 2, 'analyst', 41000),
  (2, 1, 'miller', 33000),
  (3, 3, 'director', NULL),
  (6, 1, 'driver', 29000),
  (6, 2, 'driver', 18000);

CREATE TABLE transfer (
  id INTEGER PRIMARY KEY,
  from_account INTEGER NOT NULL REFERENCES account (id),
  to_account INTEGER NOT NULL REFERENCES account (id),
  amount INTEGER NOT NULL,
  booked DATE NOT NULL,
  memo VARCHAR(40)
);

INSERT INTO transfer (id, from_account, to_account, amount, booked, memo) VALUES
  (1, 101, 103, 250, DATE '2024-01-05', 'rent share'),
  (2, 103, 104, 1200, DATE '2024-01-09', 'invoice 77'),
  (3, 104, 105, 9000, DATE '2024-01-20', 'freight'),
  (4, 105, 108, 8500, DATE '2024-01-22', NULL),
  (5, 108, 101, 8000, DATE '2024-01-25', 'consulting'),
  (6, 101, 103, 250, DATE '2024-02-05', 'rent share'),
  (7, 102, 101, 3000, DATE '2024-02-10', NULL),
  (8, 106, 106, 500, DATE '2024-02-11', 'test booking'),
  (9, 106, 107, 75, DATE '2024-02-14', NULL),
  (10, 107, 103, 60, DATE '2024-02-20', 'gift'),
  (11, 104, 105, 4000, DATE '2024-03-01', 'freight'),
  (12, 105, 104, 650, DATE '2024-03-03', 'refund'),
  (13, 103, 101, 100, DATE '2024-03-10', 'rent share'),
  (14, 104, 108, 20000, DATE '2024-03-15', NULL);

-- Not part of the graph: a plain table to join with.
CREATE TABLE branch (
  city VARCHAR(30) PRIMARY KEY,
  manager VARCHAR(40) NOT NULL
);

INSERT INTO branch (city, manager) VALUES
  ('Leeds', 'Iris Moss'),
  ('Lisbon', 'Paulo Alves'),
  ('Porto', 'Rita Dias');

CREATE PROPERTY GRAPH bank
  VERTEX TABLES (
    person KEY (id)
      LABEL person PROPERTIES (id, name, city, birth_year)
      LABEL customer PROPERTIES (id, name, city),
    company KEY (id)
      LABEL company PROPERTIES (id, name, city, sector)
      LABEL customer PROPERTIES (id, name, city),
    account KEY (id)
      LABEL account PROPERTIES (id, kind, balance, opened)
  )
  EDGE TABLES (
    person_account KEY (person_id, account_id)
      SOURCE KEY (person_id) REFERENCES person (id)
      DESTINATION KEY (account_id) REFERENCES account (id)
      LABEL owns PROPERTIES (since),
    company_account KEY (company_id, account_id)
      SOURCE KEY (company_id) REFERENCES company (id)
      DESTINATION KEY (account_id) REFERENCES account (id)
      LABEL owns PROPERTIES (since),
    employment KEY (person_id, company_id)
      SOURCE KEY (person_id) REFERENCES person (id)
      DESTINATION KEY (company_id) REFERENCES company (id)
      LABEL works_for PROPERTIES (job, salary),
    transfer KEY (id)
      SOURCE KEY (from_account) REFERENCES account (id)
      DESTINATION KEY (to_account) REFERENCES account (id)
      LABEL transfer PROPERTIES (id, amount, booked, memo)
  );
