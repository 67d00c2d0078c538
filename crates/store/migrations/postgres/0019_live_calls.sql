-- How a customer sounds in a turn, in hundredths from -100 to 100; absent: nobody can say.

ALTER TABLE messages ADD COLUMN sentiment bigint;

-- Which person has a live call: kind and id of a credential, empty for one who did not say; absent: its agent.
ALTER TABLE calls ADD COLUMN held_by text;
