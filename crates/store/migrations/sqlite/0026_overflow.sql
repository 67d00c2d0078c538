-- Where calls to a number go when no line is free, as JSON; NULL: a busy signal.
ALTER TABLE numbers ADD COLUMN overflow TEXT;
