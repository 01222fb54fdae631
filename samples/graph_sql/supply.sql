-- A bicycle maker's supply chain: suppliers offer parts and ship to warehouses, warehouses ship to each other and stock
-- parts, parts use other parts. Names are abbreviated throughout, as in many grown systems.
-- On purpose: two suppliers called Corda and two parts called bolt, a move within one warehouse (206), parallel
-- deliveries (101 and 106, 201 and 207), two wheels of the same kind in one bicycle, a part that is made from itself (41),
-- keys of two and three columns, properties with other names than their columns (`nm`), unknown ratings, weights,
-- countries, costs and delivery dates, a supplier, a warehouse and a part without any edge.

CREATE TABLE sup (
  sup_id INTEGER PRIMARY KEY,
  sup_nm VARCHAR(30) NOT NULL,
  ctry VARCHAR(2),
  rtg NUMERIC(2, 1)
);

INSERT INTO sup (sup_id, sup_nm, ctry, rtg) VALUES
  (1, 'Alder Metals', 'DE', 4.5),
  (2, 'Brookfield Plastics', 'PL', 3.8),
  (3, 'Corda', 'VN', NULL),
  (4, 'Corda', 'MX', 4.1),
  (5, 'Deltaform', NULL, 2.9),
  (6, 'Elmwood', 'DE', 4.0);

CREATE TABLE wh (
  wh_id INTEGER PRIMARY KEY,
  wh_nm VARCHAR(30) NOT NULL,
  ctry VARCHAR(2),
  cap INTEGER
);

INSERT INTO wh (wh_id, wh_nm, ctry, cap) VALUES
  (1, 'Rotterdam hub', 'NL', 9000),
  (2, 'Poznan depot', 'PL', 4000),
  (3, 'Lyon depot', 'FR', NULL),
  (4, 'Monterrey hub', 'MX', 6500),
  (5, 'Gdansk annex', 'PL', 800);

CREATE TABLE prt (
  prt_no INTEGER PRIMARY KEY,
  prt_nm VARCHAR(30) NOT NULL,
  cat VARCHAR(12) NOT NULL,
  wt_g INTEGER
);

INSERT INTO prt (prt_no, prt_nm, cat, wt_g) VALUES
  (10, 'city bike', 'product', 14500),
  (11, 'cargo bike', 'product', NULL),
  (20, 'frame', 'assembly', 3200),
  (21, 'wheel', 'assembly', 1900),
  (30, 'spoke', 'raw', 7),
  (31, 'rim', 'raw', 600),
  (32, 'tube', 'raw', 450),
  (33, 'bolt', 'raw', 12),
  (34, 'bolt', 'raw', 30),
  (40, 'bell', 'accessory', 90),
  (41, 'regrind', 'raw', NULL);

CREATE TABLE bom (
  par_no INTEGER NOT NULL REFERENCES prt (prt_no),
  cmp_no INTEGER NOT NULL REFERENCES prt (prt_no),
  pos INTEGER NOT NULL,
  qty INTEGER,
  PRIMARY KEY (par_no, cmp_no, pos)
);

INSERT INTO bom (par_no, cmp_no, pos, qty) VALUES
  (10, 20, 1, 1),
  (10, 21, 1, 1),
  (10, 21, 2, 1),
  (11, 20, 1, 1),
  (11, 21, 1, 2),
  (11, 33, 1, 6),
  (20, 32, 1, 3),
  (20, 33, 1, 8),
  (20, 34, 1, 4),
  (21, 30, 1, 36),
  (21, 31, 1, 1),
  (31, 41, 1, NULL),
  (41, 41, 1, 1);

CREATE TABLE ofr (
  sup_id INTEGER NOT NULL REFERENCES sup (sup_id),
  prt_no INTEGER NOT NULL REFERENCES prt (prt_no),
  prc NUMERIC(8, 2) NOT NULL,
  lead_d INTEGER,
  PRIMARY KEY (sup_id, prt_no)
);

INSERT INTO ofr (sup_id, prt_no, prc, lead_d) VALUES
  (1, 20, 48.00, 14),
  (1, 32, 6.50, 7),
  (1, 33, 0.10, 7),
  (2, 31, 9.80, 21),
  (2, 41, 1.20, NULL),
  (3, 30, 0.05, 45),
  (3, 33, 0.08, 45),
  (4, 31, 10.40, 10),
  (4, 34, 0.15, NULL),
  (5, 30, 0.06, 30);

CREATE TABLE stk (
  wh_id INTEGER NOT NULL REFERENCES wh (wh_id),
  prt_no INTEGER NOT NULL REFERENCES prt (prt_no),
  qty INTEGER,
  min_qty INTEGER NOT NULL,
  PRIMARY KEY (wh_id, prt_no)
);

INSERT INTO stk (wh_id, prt_no, qty, min_qty) VALUES
  (1, 21, 120, 50),
  (1, 30, 5000, 8000),
  (2, 20, 40, 40),
  (2, 33, NULL, 1000),
  (3, 21, 15, 30),
  (4, 30, 2500, 1000),
  (4, 31, 700, 200);

CREATE TABLE sup_shp (
  shp_id INTEGER PRIMARY KEY,
  sup_id INTEGER NOT NULL REFERENCES sup (sup_id),
  wh_id INTEGER NOT NULL REFERENCES wh (wh_id),
  qty INTEGER NOT NULL,
  cst NUMERIC(8, 2),
  dlv_dt DATE
);

INSERT INTO sup_shp (shp_id, sup_id, wh_id, qty, cst, dlv_dt) VALUES
  (101, 1, 2, 400, 900.00, DATE '2024-03-04'),
  (102, 2, 1, 1500, 1200.00, DATE '2024-03-11'),
  (103, 3, 1, 20000, 2600.00, NULL),
  (104, 3, 4, 8000, 1100.00, DATE '2024-04-02'),
  (105, 4, 4, 900, 700.00, DATE '2024-04-09'),
  (106, 1, 2, 400, 900.00, DATE '2024-05-06'),
  (107, 5, 3, 6000, NULL, DATE '2024-05-20');

CREATE TABLE wh_shp (
  shp_id INTEGER PRIMARY KEY,
  fr_wh INTEGER NOT NULL REFERENCES wh (wh_id),
  to_wh INTEGER NOT NULL REFERENCES wh (wh_id),
  qty INTEGER NOT NULL,
  cst NUMERIC(8, 2),
  dlv_dt DATE
);

INSERT INTO wh_shp (shp_id, fr_wh, to_wh, qty, cst, dlv_dt) VALUES
  (201, 1, 2, 300, 260.00, DATE '2024-03-20'),
  (202, 1, 3, 250, 310.00, DATE '2024-04-15'),
  (203, 2, 3, 90, 180.00, DATE '2024-04-22'),
  (204, 3, 1, 40, 95.00, NULL),
  (205, 4, 1, 1200, 3400.00, DATE '2024-06-01'),
  (206, 2, 2, 60, NULL, DATE '2024-06-03'),
  (207, 1, 2, 300, 260.00, DATE '2024-06-10');

-- Not part of the graph: a plain table to join with.
CREATE TABLE ctry_ref (
  cd VARCHAR(2) PRIMARY KEY,
  ctry_nm VARCHAR(20) NOT NULL,
  duty NUMERIC(5, 3)
);

INSERT INTO ctry_ref (cd, ctry_nm, duty) VALUES
  ('DE', 'Germany', 0.000),
  ('FR', 'France', 0.000),
  ('MX', 'Mexico', 0.065),
  ('NL', 'Netherlands', 0.000),
  ('PL', 'Poland', 0.000);

CREATE PROPERTY GRAPH supply
  VERTEX TABLES (
    sup KEY (sup_id)
      LABEL sup PROPERTIES (sup_id, sup_nm, ctry, rtg)
      LABEL loc PROPERTIES (sup_nm AS nm, ctry),
    wh KEY (wh_id)
      LABEL wh PROPERTIES (wh_id, wh_nm, ctry, cap)
      LABEL loc PROPERTIES (wh_nm AS nm, ctry),
    prt KEY (prt_no)
      LABEL prt PROPERTIES (prt_no, prt_nm, cat, wt_g)
  )
  EDGE TABLES (
    bom KEY (par_no, cmp_no, pos)
      SOURCE KEY (par_no) REFERENCES prt (prt_no)
      DESTINATION KEY (cmp_no) REFERENCES prt (prt_no)
      LABEL uses PROPERTIES (pos, qty),
    ofr KEY (sup_id, prt_no)
      SOURCE KEY (sup_id) REFERENCES sup (sup_id)
      DESTINATION KEY (prt_no) REFERENCES prt (prt_no)
      LABEL offers PROPERTIES (prc, lead_d),
    stk KEY (wh_id, prt_no)
      SOURCE KEY (wh_id) REFERENCES wh (wh_id)
      DESTINATION KEY (prt_no) REFERENCES prt (prt_no)
      LABEL stocks PROPERTIES (qty, min_qty),
    sup_shp KEY (shp_id)
      SOURCE KEY (sup_id) REFERENCES sup (sup_id)
      DESTINATION KEY (wh_id) REFERENCES wh (wh_id)
      LABEL ships PROPERTIES (shp_id, qty, cst, dlv_dt),
    wh_shp KEY (shp_id)
      SOURCE KEY (fr_wh) REFERENCES wh (wh_id)
      DESTINATION KEY (to_wh) REFERENCES wh (wh_id)
      LABEL ships PROPERTIES (shp_id, qty, cst, dlv_dt)
  );
