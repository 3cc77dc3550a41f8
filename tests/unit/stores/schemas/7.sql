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
INSERT INTO "entries" VALUES('hall 2',2,1790000002000,'segment','22222222-2222-4222-8222-222222222222',16000,'{"session":"22222222-2222-4222-8222-222222222222","number":1,"text":"good morning","first_frame":16000,"end_frame":31000,"is_final":true,"language":"it-IT","words":[{"text":"good","start_frame":16000,"end_frame":16900,"confidence":0.9,"stable":false,"doubtful":false},{"text":"morning","start_frame":17000,"end_frame":17900,"confidence":0.9,"stable":false,"doubtful":false}],"speaker":null,"made_by":"automatic","engine":"","heard":""}');
INSERT INTO "entries" VALUES('sala',1,1790000001000,'state','11111111-1111-4111-8111-111111111111',NULL,'{"change":"session_started","session":"11111111-1111-4111-8111-111111111111","value":"it-IT"}');
INSERT INTO "entries" VALUES('sala',2,1790000002000,'segment','11111111-1111-4111-8111-111111111111',16000,'{"session":"11111111-1111-4111-8111-111111111111","number":1,"text":"perch\u00e9 no","first_frame":16000,"end_frame":31000,"is_final":true,"language":"it-IT","words":[{"text":"perch\u00e9","start_frame":16000,"end_frame":16900,"confidence":0.9,"stable":false,"doubtful":false},{"text":"no","start_frame":17000,"end_frame":17900,"confidence":0.9,"stable":false,"doubtful":false}],"speaker":null,"made_by":"automatic","engine":"","heard":""}');
INSERT INTO "entries" VALUES('sala',3,1790000003000,'segment','11111111-1111-4111-8111-111111111111',32000,'{"session":"11111111-1111-4111-8111-111111111111","number":2,"text":"grazie a tutti \ud83c\udfa4","first_frame":32000,"end_frame":47000,"is_final":true,"language":"it-IT","words":[{"text":"grazie","start_frame":32000,"end_frame":32900,"confidence":0.9,"stable":false,"doubtful":false},{"text":"a","start_frame":33000,"end_frame":33900,"confidence":0.9,"stable":false,"doubtful":false},{"text":"tutti","start_frame":34000,"end_frame":34900,"confidence":0.9,"stable":false,"doubtful":false},{"text":"\ud83c\udfa4","start_frame":35000,"end_frame":35900,"confidence":0.9,"stable":false,"doubtful":false}],"speaker":null,"made_by":"automatic","engine":"","heard":""}');
INSERT INTO "entries" VALUES('sala',4,1790000004000,'state','11111111-1111-4111-8111-111111111111',NULL,'{"change":"session_ended","session":"11111111-1111-4111-8111-111111111111","value":""}');
INSERT INTO "entries" VALUES('sala',5,1790000005000,'correction','11111111-1111-4111-8111-111111111111',NULL,'{"session":"11111111-1111-4111-8111-111111111111","of":3,"made_on":3,"text":"Grazie a tutti!","by":"anna"}');
INSERT INTO "entries" VALUES('sala',6,1790000006000,'state','11111111-1111-4111-8111-111111111111',NULL,'{"change":"off_record","session":"11111111-1111-4111-8111-111111111111","value":"48000"}');
CREATE TABLE moods (
            room        TEXT    NOT NULL,
            number      INTEGER NOT NULL,
            session     TEXT    NOT NULL,
            first_frame INTEGER NOT NULL,
            score       REAL    NOT NULL,
            intent      TEXT    NOT NULL,
            read_by     TEXT    NOT NULL,
            PRIMARY KEY (room, number)
        ) WITHOUT ROWID
        ;
CREATE TABLE outbox (
            ticket  INTEGER PRIMARY KEY AUTOINCREMENT,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL,
            refused TEXT
        );
INSERT INTO "outbox" VALUES(1,'sala',2,NULL);
INSERT INTO "outbox" VALUES(2,'sala',3,NULL);
INSERT INTO "outbox" VALUES(3,'hall 2',2,NULL);
CREATE TABLE room_settings (room TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "room_settings" VALUES('sala','{"language":"it-IT","terms":{"phrases":[],"text":""},"replacements":[],"blocked":[],"mode":"live"}');
CREATE TABLE said (
            id      INTEGER PRIMARY KEY,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL,
            version INTEGER NOT NULL,
            text    TEXT    NOT NULL,
            UNIQUE (room, number)
        );
INSERT INTO "said" VALUES(1,'sala',2,2,'perché no');
INSERT INTO "said" VALUES(2,'sala',3,5,'Grazie a tutti!');
INSERT INTO "said" VALUES(3,'hall 2',2,2,'good morning');
CREATE TABLE unread (
            ticket  INTEGER PRIMARY KEY AUTOINCREMENT,
            room    TEXT    NOT NULL,
            number  INTEGER NOT NULL
        );
INSERT INTO "unread" VALUES(1,'sala',2);
INSERT INTO "unread" VALUES(2,'sala',3);
INSERT INTO "unread" VALUES(3,'hall 2',2);
INSERT INTO "unread" VALUES(4,'sala',3);
CREATE UNIQUE INDEX segments ON entries (room, session, first_frame)
        WHERE kind = 'segment'
        ;
CREATE INDEX times ON entries (room, at_ms);
CREATE INDEX changes ON entries (room, session, number) WHERE kind = 'state';
CREATE INDEX edits ON entries (room, number)
        WHERE kind IN ('correction', 'strike', 'restore')
        ;
CREATE VIRTUAL TABLE said_words USING fts5 (
            text, content = 'said', content_rowid = 'id',
            tokenize = 'unicode61 remove_diacritics 2'
        );
CREATE TRIGGER said_new AFTER INSERT ON said BEGIN
            INSERT INTO said_words (rowid, text) VALUES (new.id, new.text);
        END;
CREATE TRIGGER said_gone AFTER DELETE ON said BEGIN
            INSERT INTO said_words (said_words, rowid, text) VALUES ('delete', old.id, old.text);
        END;
CREATE TRIGGER said_anew AFTER UPDATE ON said BEGIN
            INSERT INTO said_words (said_words, rowid, text) VALUES ('delete', old.id, old.text);
            INSERT INTO said_words (rowid, text) VALUES (new.id, new.text);
        END;
-- SQLite's own dump has the index's inner tables here; written anew, they are the same.
INSERT INTO said_words (said_words) VALUES ('rebuild');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',3);
INSERT INTO "sqlite_sequence" VALUES('unread',4);
COMMIT;
PRAGMA user_version = 7;
