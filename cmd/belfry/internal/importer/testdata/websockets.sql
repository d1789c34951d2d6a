INSERT INTO `websockets_apps` (`id`, `key`, `secret`, `name`, `enable_client_messages`) VALUES (61, 'lwsql-key', 'lwsql-secret', 'Shop', 1);
