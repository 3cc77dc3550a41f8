BEGIN TRANSACTION;
CREATE TABLE entries (
            room        TEXT    NOT NULL,
            number      INTEGER NOT NULL,
            at_ms       INTEGER NOT NULL,
            kind        TEXT    NOT NULL,
            session     TEXT    NOT NULL,
            first_frame INTEGER,
            body        TEXT    NOT NULL,
            PRIMARY KEY (room, number)
        ) WITHOUT ROWID
        ;
INSERT INTO "entries" VALUES('hall 2',1,1790000001000,'state','22222222-2222-4222-8222-222222222222',NULL,'{"change":"session_started","session":"22222222-2222-4222-8222-222222222222","value":"en-US"}');
INSERT INTO "entries" VALUES('hall 2',2,1790000002000,'segment','22222222-2222-4222-8222-222222222222',16000,'{"session":"22222222-2222-4222-8222-222222222222","number":1,"text":"good morning","first_frame":16000,"end_frame":31000,"is_final":true,"language":"it-IT","words":[{"text":"good","start_frame":16000,"end_frame":16900,"confidence":0.9,"stable":false},{"text":"morning","start_frame":17000,"end_frame":17900,"confidence":0.9,"stable":false}],"speaker":null,"made_by":"automatic","engine":"","heard":""}');
INSERT INTO "entries" VALUES('sala',1,1790000001000,'state','11111111-1111-4111-8111-111111111111',NULL,'{"change":"session_started","session":"11111111-1111-4111-8111-111111111111","value":"it-IT"}');
INSERT INTO "entries" VALUES('sala',2,1790000002000,'segment','11111111-1111-4111-8111-111111111111',16000,'{"session":"11111111-1111-4111-8111-111111111111","number":1,"text":"perch\u00e9 no","first_frame":16000,"end_frame":31000,"is_final":true,"language":"it-IT","words":[{"text":"perch\u00e9","start_frame":16000,"end_frame":16900,"confidence":0.9,"stable":false},{"text":"no","start_frame":17000,"end_frame":17900,"confidence":0.9,"stable":false}],"speaker":null,"made_by":"automatic","engine":"","heard":""}');
INSERT INTO "entries" VALUES('sala',3,1790000003000,'segment','11111111-1111-4111-8111-111111111111',32000,'{"session":"11111111-1111-4111-8111-111111111111","number":2,"text":"grazie a tutti \ud83c\udfa4","first_frame":32000,"end_frame":47000,"is_final":true,"language":"it-IT","words":[{"text":"grazie","start_frame":32000,"end_frame":32900,"confidence":0.9,"stable":false},{"text":"a","start_frame":33000,"end_frame":33900,"confidence":0.9,"stable":false},{"text":"tutti","start_frame":34000,"end_frame":34900,"confidence":0.9,"stable":false},{"text":"\ud83c\udfa4","start_frame":35000,"end_frame":35900,"confidence":0.9,"stable":false}],"speaker":null,"made_by":"automatic","engine":"","heard":""}');
INSERT INTO "entries" VALUES('sala',4,1790000004000,'state','11111111-1111-4111-8111-111111111111',NULL,'{"change":"session_ended","session":"11111111-1111-4111-8111-111111111111","value":""}');
CREATE TABLE room_settings (room TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "room_settings" VALUES('sala','{"language":"it-IT","terms":{"phrases":[],"text":""},"replacements":[]}');
CREATE UNIQUE INDEX segments ON entries (room, session, first_frame)
        WHERE kind = 'segment'
        ;
CREATE INDEX times ON entries (room, at_ms);
CREATE INDEX changes ON entries (room, session, number) WHERE kind = 'state';
COMMIT;
PRAGMA user_version = 3;
