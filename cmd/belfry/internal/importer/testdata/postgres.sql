--
-- PostgreSQL database dump
--
SET standard_conforming_strings = on;
CREATE TABLE public.apps (
    id character varying(255) NOT NULL,
    key character varying(255) NOT NULL,
    secret character varying(255) NOT NULL,
    max_connections integer NOT NULL,
    enable_client_messages smallint NOT NULL
);
CREATE TABLE public.users (id integer, name text);
COPY public.users (id, name) FROM stdin;
1	somebody
\.
COPY public.apps (id, key, secret, max_connections, enable_client_messages) FROM stdin;
21	pg-key	pg\\secret	-1	1
\.
INSERT INTO "public"."apps" ("id", "key", "secret", "max_connections") VALUES ('22', 'pg-key-2', 'back\slash', 10);
