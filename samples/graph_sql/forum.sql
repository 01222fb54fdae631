-- 社区：用户互相关注、发私信，用户和公众号发布帖子，帖子引用帖子。
-- Labels are Chinese, tables and columns English, as where a product team named the graph over an older database.
-- On purpose: two users called 小鱼, two posts called 火锅地图, a user who follows herself and one who writes to himself,
-- parallel messages (1 and 3), the label 账号 on two tables and 关注 and 发布 on two edge tables each, keys of two columns,
-- unknown cities, topics, likes and years, a user, a channel and a post without any edge.

CREATE TABLE app_user (
  user_id INTEGER PRIMARY KEY,
  nickname VARCHAR(20) NOT NULL,
  city VARCHAR(10),
  joined DATE NOT NULL
);

INSERT INTO app_user (user_id, nickname, city, joined) VALUES
  (1, '小鱼', '杭州', DATE '2019-05-01'),
  (2, '阿东', '成都', DATE '2020-08-12'),
  (3, '小鱼', '北京', DATE '2021-02-03'),
  (4, 'Momo', NULL, DATE '2022-11-11'),
  (5, '老陈', '成都', DATE '2018-01-20'),
  (6, '晚风', '杭州', DATE '2023-06-30');

CREATE TABLE channel (
  channel_id INTEGER PRIMARY KEY,
  nickname VARCHAR(20) NOT NULL,
  topic VARCHAR(10)
);

INSERT INTO channel (channel_id, nickname, topic) VALUES
  (1, '吃在成都', '美食'),
  (2, '周末徒步', '户外'),
  (3, '晚风', NULL);

CREATE TABLE post (
  post_id INTEGER PRIMARY KEY,
  title VARCHAR(20) NOT NULL,
  likes INTEGER,
  posted DATE NOT NULL
);

INSERT INTO post (post_id, title, likes, posted) VALUES
  (1, '火锅地图', 320, DATE '2024-01-05'),
  (2, '西湖夜跑', 45, DATE '2024-01-12'),
  (3, '新手装备清单', 128, DATE '2024-02-01'),
  (4, '火锅地图', NULL, DATE '2024-02-18'),
  (5, '周末去哪儿', 60, DATE '2024-03-03'),
  (6, '旧帖存档', 0, DATE '2017-12-31');

CREATE TABLE user_follow (
  follower_id INTEGER NOT NULL REFERENCES app_user (user_id),
  followee_id INTEGER NOT NULL REFERENCES app_user (user_id),
  since INTEGER,
  PRIMARY KEY (follower_id, followee_id)
);

INSERT INTO user_follow (follower_id, followee_id, since) VALUES
  (1, 2, 2020),
  (1, 5, 2021),
  (2, 5, 2020),
  (3, 1, NULL),
  (4, 1, 2023),
  (4, 3, 2023),
  (5, 2, 2020),
  (5, 5, 2018);

CREATE TABLE channel_follow (
  user_id INTEGER NOT NULL REFERENCES app_user (user_id),
  channel_id INTEGER NOT NULL REFERENCES channel (channel_id),
  since INTEGER,
  PRIMARY KEY (user_id, channel_id)
);

INSERT INTO channel_follow (user_id, channel_id, since) VALUES
  (1, 2, 2022),
  (2, 1, 2021),
  (4, 1, NULL),
  (5, 1, 2019);

CREATE TABLE message (
  msg_id INTEGER PRIMARY KEY,
  sender_id INTEGER NOT NULL REFERENCES app_user (user_id),
  receiver_id INTEGER NOT NULL REFERENCES app_user (user_id),
  chars INTEGER,
  sent DATE NOT NULL
);

INSERT INTO message (msg_id, sender_id, receiver_id, chars, sent) VALUES
  (1, 1, 2, 18, DATE '2024-01-06'),
  (2, 2, 1, 40, DATE '2024-01-07'),
  (3, 1, 2, 18, DATE '2024-01-09'),
  (4, 4, 4, 200, DATE '2024-01-20'),
  (5, 3, 4, NULL, DATE '2024-02-02'),
  (6, 5, 2, 75, DATE '2024-02-10');

CREATE TABLE user_post (
  post_id INTEGER PRIMARY KEY REFERENCES post (post_id),
  user_id INTEGER NOT NULL REFERENCES app_user (user_id),
  device VARCHAR(10)
);

INSERT INTO user_post (post_id, user_id, device) VALUES
  (1, 5, '手机'),
  (2, 1, '手机'),
  (5, 4, NULL);

CREATE TABLE channel_post (
  post_id INTEGER PRIMARY KEY REFERENCES post (post_id),
  channel_id INTEGER NOT NULL REFERENCES channel (channel_id),
  device VARCHAR(10)
);

INSERT INTO channel_post (post_id, channel_id, device) VALUES
  (3, 2, '电脑'),
  (4, 1, '电脑');

CREATE TABLE quote (
  quoting_id INTEGER NOT NULL REFERENCES post (post_id),
  quoted_id INTEGER NOT NULL REFERENCES post (post_id),
  PRIMARY KEY (quoting_id, quoted_id)
);

INSERT INTO quote (quoting_id, quoted_id) VALUES
  (3, 2),
  (4, 1),
  (5, 2),
  (5, 3),
  (5, 4);

-- Not part of the graph: a plain table to join with.
CREATE TABLE city_info (
  city VARCHAR(10) PRIMARY KEY,
  province VARCHAR(10) NOT NULL
);

INSERT INTO city_info (city, province) VALUES
  ('成都', '四川'),
  ('杭州', '浙江');

CREATE PROPERTY GRAPH 社区
  VERTEX TABLES (
    app_user KEY (user_id)
      LABEL 用户 PROPERTIES (user_id, nickname, city, joined)
      LABEL 账号 PROPERTIES (nickname),
    channel KEY (channel_id)
      LABEL 公众号 PROPERTIES (channel_id, nickname, topic)
      LABEL 账号 PROPERTIES (nickname),
    post KEY (post_id)
      LABEL 帖子 PROPERTIES (post_id, title, likes, posted)
  )
  EDGE TABLES (
    user_follow KEY (follower_id, followee_id)
      SOURCE KEY (follower_id) REFERENCES app_user (user_id)
      DESTINATION KEY (followee_id) REFERENCES app_user (user_id)
      LABEL 关注 PROPERTIES (since),
    channel_follow KEY (user_id, channel_id)
      SOURCE KEY (user_id) REFERENCES app_user (user_id)
      DESTINATION KEY (channel_id) REFERENCES channel (channel_id)
      LABEL 关注 PROPERTIES (since),
    message KEY (msg_id)
      SOURCE KEY (sender_id) REFERENCES app_user (user_id)
      DESTINATION KEY (receiver_id) REFERENCES app_user (user_id)
      LABEL 私信 PROPERTIES (msg_id, chars, sent),
    user_post KEY (post_id)
      SOURCE KEY (user_id) REFERENCES app_user (user_id)
      DESTINATION KEY (post_id) REFERENCES post (post_id)
      LABEL 发布 PROPERTIES (device),
    channel_post KEY (post_id)
      SOURCE KEY (channel_id) REFERENCES channel (channel_id)
      DESTINATION KEY (post_id) REFERENCES post (post_id)
      LABEL 发布 PROPERTIES (device),
    quote KEY (quoting_id, quoted_id)
      SOURCE KEY (quoting_id) REFERENCES post (post_id)
      DESTINATION KEY (quoted_id) REFERENCES post (post_id)
      LABEL 引用 NO PROPERTIES
  );
