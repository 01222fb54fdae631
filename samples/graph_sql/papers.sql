-- Papers, the people who wrote them, what they cite and where they appeared.
-- On purpose: two authors called Li Na, a paper that cites itself, one paper cited twice by the same paper,
-- a venue with a composite key (series, held), the label paper on two tables of different shape,
-- unknown page counts and countries, an author, an article and a venue without any edge.

CREATE TABLE author (
  id INTEGER PRIMARY KEY,
  name VARCHAR(40) NOT NULL,
  country VARCHAR(20),
  h_index INTEGER
);

INSERT INTO author (id, name, country, h_index) VALUES
  (1, 'Mei Tanaka', 'Japan', 31),
  (2, 'Omar Haddad', 'Lebanon', 12),
  (3, 'Li Na', 'China', 24),
  (4, 'Li Na', 'China', 7),
  (5, 'Greta Holm', 'Sweden', NULL),
  (6, 'Ivo Petrov', NULL, 15);

CREATE TABLE article (
  id INTEGER PRIMARY KEY,
  title VARCHAR(60) NOT NULL,
  published INTEGER NOT NULL,
  pages INTEGER
);

INSERT INTO article (id, title, published, pages) VALUES
  (11, 'Walks in Wide Graphs', 2019, 14),
  (12, 'Joins Without Tears', 2021, 18),
  (13, 'Path Patterns in Practice', 2022, 12),
  (14, 'Counting Trails', 2023, NULL),
  (15, 'Indexes for Labels', 2023, 22),
  (16, 'A Note on Zero Hops', 2020, 4);

CREATE TABLE preprint (
  id INTEGER PRIMARY KEY,
  title VARCHAR(60) NOT NULL,
  published INTEGER NOT NULL,
  server VARCHAR(20)
);

INSERT INTO preprint (id, title, published, server) VALUES
  (21, 'Fast Reachability', 2024, 'OpenShelf'),
  (22, 'Graph Views Revisited', 2023, 'OpenShelf'),
  (23, 'Lost Draft', 2018, NULL);

CREATE TABLE venue (
  series VARCHAR(20) NOT NULL,
  held INTEGER NOT NULL,
  city VARCHAR(20),
  PRIMARY KEY (series, held)
);

INSERT INTO venue (series, held, city) VALUES
  ('DataDays', 2021, 'Oslo'),
  ('DataDays', 2023, 'Lima'),
  ('GraphConf', 2022, 'Kyoto'),
  ('GraphConf', 2023, NULL),
  ('GraphConf', 2024, 'Quito');

CREATE TABLE article_author (
  author_id INTEGER NOT NULL REFERENCES author (id),
  article_id INTEGER NOT NULL REFERENCES article (id),
  place INTEGER NOT NULL,
  PRIMARY KEY (author_id, article_id)
);

INSERT INTO article_author (author_id, article_id, place) VALUES
  (1, 11, 1),
  (2, 11, 2),
  (3, 12, 1),
  (1, 12, 2),
  (3, 13, 1),
  (4, 13, 2),
  (2, 14, 1),
  (5, 14, 2),
  (1, 15, 1),
  (4, 15, 2),
  (5, 15, 3);

CREATE TABLE preprint_author (
  author_id INTEGER NOT NULL REFERENCES author (id),
  preprint_id INTEGER NOT NULL REFERENCES preprint (id),
  place INTEGER NOT NULL,
  PRIMARY KEY (author_id, preprint_id)
);

INSERT INTO preprint_author (author_id, preprint_id, place) VALUES
  (4, 21, 1),
  (3, 21, 2),
  (5, 22, 1),
  (1, 23, 1);

CREATE TABLE article_citation (
  id INTEGER PRIMARY KEY,
  citing_id INTEGER NOT NULL REFERENCES article (id),
  cited_id INTEGER NOT NULL REFERENCES article (id),
  section VARCHAR(20)
);

INSERT INTO article_citation (id, citing_id, cited_id, section) VALUES
  (1, 12, 11, 'intro'),
  (2, 12, 11, 'methods'),
  (3, 13, 12, 'intro'),
  (4, 13, 11, 'related'),
  (5, 14, 13, 'methods'),
  (6, 14, 14, 'erratum'),
  (7, 15, 12, 'related'),
  (8, 15, 13, NULL),
  (9, 15, 14, 'intro');

CREATE TABLE preprint_citation (
  id INTEGER PRIMARY KEY,
  citing_id INTEGER NOT NULL REFERENCES preprint (id),
  cited_id INTEGER NOT NULL REFERENCES article (id),
  section VARCHAR(20)
);

INSERT INTO preprint_citation (id, citing_id, cited_id, section) VALUES
  (101, 21, 15, 'intro'),
  (102, 21, 13, 'methods'),
  (103, 22, 12, NULL),
  (104, 22, 15, 'related');

CREATE TABLE appearance (
  article_id INTEGER PRIMARY KEY REFERENCES article (id),
  series VARCHAR(20) NOT NULL,
  held INTEGER NOT NULL,
  award VARCHAR(20),
  FOREIGN KEY (series, held) REFERENCES venue (series, held)
);

INSERT INTO appearance (article_id, series, held, award) VALUES
  (12, 'DataDays', 2021, 'best paper'),
  (13, 'GraphConf', 2022, NULL),
  (14, 'GraphConf', 2023, NULL),
  (15, 'DataDays', 2023, 'runner-up');

CREATE TABLE advising (
  advisor_id INTEGER NOT NULL REFERENCES author (id),
  student_id INTEGER NOT NULL REFERENCES author (id),
  started INTEGER,
  PRIMARY KEY (advisor_id, student_id)
);

INSERT INTO advising (advisor_id, student_id, started) VALUES
  (1, 3, 2016),
  (3, 4, 2021),
  (2, 5, NULL);

CREATE PROPERTY GRAPH papers
  VERTEX TABLES (
    author KEY (id)
      LABEL author PROPERTIES (id, name, country, h_index),
    article KEY (id)
      LABEL article PROPERTIES (id, title, published, pages)
      LABEL paper PROPERTIES (id, title, published),
    preprint KEY (id)
      LABEL preprint PROPERTIES (id, title, published, server)
      LABEL paper PROPERTIES (id, title, published),
    venue KEY (series, held)
      LABEL venue PROPERTIES (series, held, city)
  )
  EDGE TABLES (
    article_author KEY (author_id, article_id)
      SOURCE KEY (author_id) REFERENCES author (id)
      DESTINATION KEY (article_id) REFERENCES article (id)
      LABEL wrote PROPERTIES (place),
    preprint_author KEY (author_id, preprint_id)
      SOURCE KEY (author_id) REFERENCES author (id)
      DESTINATION KEY (preprint_id) REFERENCES preprint (id)
      LABEL wrote PROPERTIES (place),
    article_citation KEY (id)
      SOURCE KEY (citing_id) REFERENCES article (id)
      DESTINATION KEY (cited_id) REFERENCES article (id)
      LABEL cites PROPERTIES (id, section),
    preprint_citation KEY (id)
      SOURCE KEY (citing_id) REFERENCES preprint (id)
      DESTINATION KEY (cited_id) REFERENCES article (id)
      LABEL cites PROPERTIES (id, section),
    appearance KEY (article_id)
      SOURCE KEY (article_id) REFERENCES article (id)
      DESTINATION KEY (series, held) REFERENCES venue (series, held)
      LABEL appeared_in PROPERTIES (award),
    advising KEY (advisor_id, student_id)
      SOURCE KEY (advisor_id) REFERENCES author (id)
      DESTINATION KEY (student_id) REFERENCES author (id)
      LABEL advises PROPERTIES (started)
  );
