-- Hospital referrals: doctors refer to each other, treat patients and work at care sites; patients visit care sites.
-- Every name is quoted and in mixed case, and one label holds a blank, as when a schema comes out of an object mapper.
-- On purpose: two doctors called Jonas Weiss, two patients called Ines Costa, a referral back to the same doctor (8),
-- parallel referrals (1 and 2) and visits (9002 and 9007), sites with a key of campus and number, unknown specialties,
-- urgencies, diagnoses, beds, hours and fees, a doctor, a patient and a site without any edge.

CREATE TABLE "Doctor" (
  "doctorId" INTEGER PRIMARY KEY,
  "fullName" VARCHAR(30) NOT NULL,
  "specialty" VARCHAR(20),
  "licensedIn" INTEGER
);

INSERT INTO "Doctor" ("doctorId", "fullName", "specialty", "licensedIn") VALUES
  (1, 'Nadia Karim', 'general practice', 2004),
  (2, 'Jonas Weiss', 'cardiology', 1998),
  (3, 'Rosa Moreno', 'radiology', NULL),
  (4, 'Jonas Weiss', 'neurology', 2011),
  (5, 'Tomas Lind', 'general practice', 2015),
  (6, 'Aiko Mori', 'cardiology', 2009),
  (7, 'Peter Dahl', NULL, 2020);

CREATE TABLE "Patient" (
  "patientId" INTEGER PRIMARY KEY,
  "fullName" VARCHAR(30) NOT NULL,
  "district" VARCHAR(20),
  "bornOn" DATE
);

INSERT INTO "Patient" ("patientId", "fullName", "district", "bornOn") VALUES
  (501, 'Ines Costa', 'Harbour', DATE '1958-04-12'),
  (502, 'Karl Brandt', 'Old Town', DATE '1971-11-03'),
  (503, 'Mina Sato', NULL, DATE '1990-06-25'),
  (504, 'Ines Costa', 'Hillside', DATE '2001-01-30'),
  (505, 'Otto Reyes', 'Harbour', NULL),
  (506, 'Lena Fisk', 'Old Town', DATE '1984-09-09');

CREATE TABLE "CareSite" (
  "campus" VARCHAR(10) NOT NULL,
  "unitNo" INTEGER NOT NULL,
  "unitName" VARCHAR(20) NOT NULL,
  "beds" INTEGER,
  PRIMARY KEY ("campus", "unitNo")
);

INSERT INTO "CareSite" ("campus", "unitNo", "unitName", "beds") VALUES
  ('North', 1, 'Emergency', 18),
  ('North', 2, 'Heart Centre', 24),
  ('South', 1, 'Imaging', NULL),
  ('South', 2, 'Neurology', 16),
  ('South', 3, 'Rehab', 30);

CREATE TABLE "Referral" (
  "referralId" INTEGER PRIMARY KEY,
  "fromDoctor" INTEGER NOT NULL REFERENCES "Doctor" ("doctorId"),
  "toDoctor" INTEGER NOT NULL REFERENCES "Doctor" ("doctorId"),
  "urgency" VARCHAR(10),
  "issuedOn" DATE NOT NULL,
  "waitDays" INTEGER
);

INSERT INTO "Referral" ("referralId", "fromDoctor", "toDoctor", "urgency", "issuedOn", "waitDays") VALUES
  (1, 1, 2, 'urgent', DATE '2024-02-01', 3),
  (2, 1, 2, 'routine', DATE '2024-02-08', 20),
  (3, 2, 3, 'urgent', DATE '2024-02-05', 1),
  (4, 2, 4, 'routine', DATE '2024-02-20', NULL),
  (5, 5, 6, 'routine', DATE '2024-03-01', 14),
  (6, 6, 3, 'routine', DATE '2024-03-04', 10),
  (7, 3, 2, 'routine', DATE '2024-03-09', 5),
  (8, 4, 4, 'follow-up', DATE '2024-03-12', 30),
  (9, 5, 4, NULL, DATE '2024-03-15', 8),
  (10, 6, 2, 'urgent', DATE '2024-03-18', 2);

CREATE TABLE "Treatment" (
  "doctorId" INTEGER NOT NULL REFERENCES "Doctor" ("doctorId"),
  "patientId" INTEGER NOT NULL REFERENCES "Patient" ("patientId"),
  "diagnosis" VARCHAR(20),
  "startedOn" DATE,
  PRIMARY KEY ("doctorId", "patientId")
);

INSERT INTO "Treatment" ("doctorId", "patientId", "diagnosis", "startedOn") VALUES
  (1, 501, 'hypertension', DATE '2023-10-02'),
  (1, 502, 'hypertension', DATE '2024-01-15'),
  (2, 501, 'arrhythmia', DATE '2024-02-10'),
  (2, 503, NULL, DATE '2024-02-21'),
  (4, 503, 'migraine', DATE '2024-03-01'),
  (5, 504, 'asthma', DATE '2024-02-14'),
  (5, 505, 'hypertension', NULL),
  (6, 505, 'arrhythmia', DATE '2024-03-20');

CREATE TABLE "Posting" (
  "doctorId" INTEGER NOT NULL REFERENCES "Doctor" ("doctorId"),
  "campus" VARCHAR(10) NOT NULL,
  "unitNo" INTEGER NOT NULL,
  "weeklyHours" INTEGER,
  PRIMARY KEY ("doctorId", "campus", "unitNo"),
  FOREIGN KEY ("campus", "unitNo") REFERENCES "CareSite" ("campus", "unitNo")
);

INSERT INTO "Posting" ("doctorId", "campus", "unitNo", "weeklyHours") VALUES
  (1, 'North', 1, 30),
  (2, 'North', 2, 40),
  (3, 'South', 1, NULL),
  (4, 'South', 2, 38),
  (5, 'North', 1, 20),
  (6, 'North', 2, 36),
  (6, 'North', 1, 6);

CREATE TABLE "Visit" (
  "visitNo" INTEGER PRIMARY KEY,
  "patientId" INTEGER NOT NULL REFERENCES "Patient" ("patientId"),
  "campus" VARCHAR(10) NOT NULL,
  "unitNo" INTEGER NOT NULL,
  "visitedOn" DATE NOT NULL,
  "fee" NUMERIC(8, 2),
  FOREIGN KEY ("campus", "unitNo") REFERENCES "CareSite" ("campus", "unitNo")
);

INSERT INTO "Visit" ("visitNo", "patientId", "campus", "unitNo", "visitedOn", "fee") VALUES
  (9001, 501, 'North', 1, DATE '2024-02-01', 120.00),
  (9002, 501, 'North', 2, DATE '2024-02-10', 310.50),
  (9003, 502, 'North', 1, DATE '2024-01-20', 85.00),
  (9004, 503, 'South', 1, DATE '2024-02-24', 240.00),
  (9005, 503, 'South', 2, DATE '2024-03-02', NULL),
  (9006, 505, 'North', 2, DATE '2024-03-20', 310.50),
  (9007, 501, 'North', 2, DATE '2024-03-22', 310.50);

-- Not part of the graph: a plain table to join with.
CREATE TABLE "Campus" (
  "campus" VARCHAR(10) PRIMARY KEY,
  "director" VARCHAR(30) NOT NULL
);

INSERT INTO "Campus" ("campus", "director") VALUES
  ('East', 'Ruth Adler'),
  ('North', 'Vera Quist'),
  ('South', 'Milo Grant');

CREATE PROPERTY GRAPH "CareNet"
  VERTEX TABLES (
    "Doctor" KEY ("doctorId")
      LABEL "Doctor" PROPERTIES ("doctorId", "fullName", "specialty", "licensedIn")
      LABEL "Person" PROPERTIES ("fullName"),
    "Patient" KEY ("patientId")
      LABEL "Patient" PROPERTIES ("patientId", "fullName", "district", "bornOn")
      LABEL "Person" PROPERTIES ("fullName"),
    "CareSite" KEY ("campus", "unitNo")
      LABEL "Care Site" PROPERTIES ("campus", "unitNo", "unitName", "beds")
  )
  EDGE TABLES (
    "Referral" KEY ("referralId")
      SOURCE KEY ("fromDoctor") REFERENCES "Doctor" ("doctorId")
      DESTINATION KEY ("toDoctor") REFERENCES "Doctor" ("doctorId")
      LABEL "refersTo" PROPERTIES ("referralId", "urgency", "issuedOn", "waitDays"),
    "Treatment" KEY ("doctorId", "patientId")
      SOURCE KEY ("doctorId") REFERENCES "Doctor" ("doctorId")
      DESTINATION KEY ("patientId") REFERENCES "Patient" ("patientId")
      LABEL "treats" PROPERTIES ("diagnosis", "startedOn"),
    "Posting" KEY ("doctorId", "campus", "unitNo")
      SOURCE KEY ("doctorId") REFERENCES "Doctor" ("doctorId")
      DESTINATION KEY ("campus", "unitNo") REFERENCES "CareSite" ("campus", "unitNo")
      LABEL "worksAt" PROPERTIES ("weeklyHours"),
    "Visit" KEY ("visitNo")
      SOURCE KEY ("patientId") REFERENCES "Patient" ("patientId")
      DESTINATION KEY ("campus", "unitNo") REFERENCES "CareSite" ("campus", "unitNo")
      LABEL "visited" PROPERTIES ("visitNo", "visitedOn", "fee")
  );
