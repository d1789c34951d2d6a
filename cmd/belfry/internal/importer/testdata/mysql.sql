-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
/*!40101 SET NAMES utf8 */;
DROP TABLE IF EXISTS `apps`;
CREATE TABLE `apps` (
  `id` varchar(255) NOT NULL,
  `key` varchar(255) NOT NULL,
  `secret` varchar(255) NOT NULL,
  `max_connections` int NOT NULL,
  `enable_client_messages` tinyint NOT NULL,
  `enabled` tinyint NOT NULL,
  `max_backend_events_per_sec` int NOT NULL,
  `webhooks` json,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
LOCK TABLES `apps` WRITE;
INSERT INTO `apps` VALUES ('11','my-key','it''s; a \'secret\'',200,1,1,-1,'[{\"url\": \"http://10.1.2.3/h\", \"event_types\": [\"cache_miss\"]}]'),
('12','other-key','other-secret',-1,0,0,5,NULL);
UNLOCK TABLES;
