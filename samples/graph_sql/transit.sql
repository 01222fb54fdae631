-- 城市交通：车站之间有轨道区间和接驳巴士，车站到景点可以步行。
-- Names are Chinese throughout, as in many real schemas. On purpose: two stations called 人民广场, a sightseeing loop
-- from 南桥 to itself, two lines between the same two stations, unknown districts, passenger counts, fares, minutes
-- and ticket prices, a station that is not connected yet (北湖).

CREATE TABLE 车站 (
  编号 INTEGER PRIMARY KEY,
  名称 VARCHAR(20) NOT NULL,
  城区 VARCHAR(20),
  日客流 INTEGER
);

INSERT INTO 车站 (编号, 名称, 城区, 日客流) VALUES
  (1, '东门', '老城', 52000),
  (2, '人民广场', '老城', 130000),
  (3, '河滨', '新区', 41000),
  (4, '科技园', '新区', 98000),
  (5, '人民广场', '大学城', 23000),
  (6, '机场', '空港', 76000),
  (7, '北湖', NULL, NULL),
  (8, '南桥', '老城', NULL);

CREATE TABLE 景点 (
  编号 INTEGER PRIMARY KEY,
  名称 VARCHAR(20) NOT NULL,
  城区 VARCHAR(20),
  门票 NUMERIC(6, 2)
);

INSERT INTO 景点 (编号, 名称, 城区, 门票) VALUES
  (1, '古城墙', '老城', 54.00),
  (2, '湿地公园', '新区', 0.00),
  (3, '航空博物馆', '空港', NULL),
  (4, '植物园', '大学城', 20.00);

CREATE TABLE 区间 (
  编号 INTEGER PRIMARY KEY,
  起点 INTEGER NOT NULL REFERENCES 车站 (编号),
  终点 INTEGER NOT NULL REFERENCES 车站 (编号),
  线路 VARCHAR(20) NOT NULL,
  分钟 INTEGER,
  票价 NUMERIC(6, 2)
);

INSERT INTO 区间 (编号, 起点, 终点, 线路, 分钟, 票价) VALUES
  (1, 1, 2, '1号线', 3, 2.00),
  (2, 2, 3, '1号线', 6, 3.00),
  (3, 3, 4, '1号线', 5, 3.00),
  (4, 2, 4, '2号线', 9, 4.00),
  (5, 4, 6, '机场线', 18, 12.00),
  (6, 2, 3, '3号线', 7, 3.00),
  (7, 8, 2, '3号线', 4, 2.00),
  (8, 4, 5, '2号线', 8, 4.00),
  (9, 8, 8, '观光环线', 25, NULL);

CREATE TABLE 接驳 (
  编号 INTEGER PRIMARY KEY,
  起点 INTEGER NOT NULL REFERENCES 车站 (编号),
  终点 INTEGER NOT NULL REFERENCES 车站 (编号),
  班次 VARCHAR(20) NOT NULL,
  分钟 INTEGER
);

INSERT INTO 接驳 (编号, 起点, 终点, 班次, 分钟) VALUES
  (101, 6, 5, '空港快线', 22),
  (102, 5, 4, '校园巴士', NULL),
  (103, 1, 8, '老城环巴', 6);

CREATE TABLE 步行 (
  车站编号 INTEGER NOT NULL REFERENCES 车站 (编号),
  景点编号 INTEGER NOT NULL REFERENCES 景点 (编号),
  分钟 INTEGER,
  PRIMARY KEY (车站编号, 景点编号)
);

INSERT INTO 步行 (车站编号, 景点编号, 分钟) VALUES
  (1, 1, 8),
  (2, 1, 12),
  (3, 2, 5),
  (5, 4, 10),
  (6, 3, 15);

CREATE PROPERTY GRAPH 城市交通
  VERTEX TABLES (
    车站 KEY (编号)
      LABEL 车站 PROPERTIES (编号, 名称, 城区, 日客流)
      LABEL 地点 PROPERTIES (编号, 名称, 城区),
    景点 KEY (编号)
      LABEL 景点 PROPERTIES (编号, 名称, 城区, 门票)
      LABEL 地点 PROPERTIES (编号, 名称, 城区)
  )
  EDGE TABLES (
    区间 KEY (编号)
      SOURCE KEY (起点) REFERENCES 车站 (编号)
      DESTINATION KEY (终点) REFERENCES 车站 (编号)
      LABEL 区间 PROPERTIES (编号, 线路, 分钟, 票价),
    接驳 KEY (编号)
      SOURCE KEY (起点) REFERENCES 车站 (编号)
      DESTINATION KEY (终点) REFERENCES 车站 (编号)
      LABEL 接驳 PROPERTIES (编号, 班次, 分钟),
    步行 KEY (车站编号, 景点编号)
      SOURCE KEY (车站编号) REFERENCES 车站 (编号)
      DESTINATION KEY (景点编号) REFERENCES 景点 (编号)
      LABEL 步行 PROPERTIES (分钟)
  );
