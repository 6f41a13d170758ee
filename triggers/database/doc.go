// Package database is the trigger kinds "sqlite" and "database": rows of a table or view
// that other programs write, in a SQLite file or on a PostgreSQL, MySQL, MariaDB or SQL
// Server.
//
//	mode: rows   each new row is one event, in the order of the cursor columns
//	mode: level  every trigger_after_n-th poll that finds rows is one, as long as there are some
//
// # Each row once
//
// A position is the values of the cursor columns (order) and of the key. The stored
// cursor is a frontier: how far the table was read, and what was seen in the last
// look_back behind that, where rows may still appear: their transaction took longer, or
// they tie with others. A row that appears within look_back of when a row after it was
// seen is reported once, however late the next poll is; one that comes later than that
// may not be. The cursor is saved with
// its events, whose keys hold the order and the key, so neither a restart nor a lost
// answer loses or doubles any. At most 10,000 rows are remembered; beyond that the look
// back is shorter. Numbers that count up without a gap need no look back at all.
//
// What has no place in the order (NULL in a cursor column) is not reported before it has
// one. With version: COLUMN that column comes first in the order, so a row is new again
// when it grows. A row that is deleted is nothing; a key that comes again is new if its
// order is. Where the order is the rowid of SQLite, a row that takes the number of the
// last one, which was deleted, is taken for that one: AUTOINCREMENT prevents it.
//
// # As if nobody read
//
// Connections only read, statements end at query_timeout, and a lock is held while one
// bounded batch is copied. Of SQLite files see sqliteConn: nothing is made beside them.
//
//	source ─► link.use: its turn ─► conn.stamp ─► frontier.look ─► conn.read … ─► Emit
//	  ▲                                  │
//	  └────────── watch: another stamp ──┘
//
// Triggers of one database share a link, its connection and its back-off. Where the
// engine tells cheaply that nothing has changed (the stamp: SQLite), the link looks at
// that for all of them, as often as the most impatient wants; the others wait. Else each
// polls in its own slot of the interval, or when its channel (LISTEN) says so.
//
// A database that can't be reached, or is locked, makes its triggers degraded, and
// failing when that lasts; a table that is gone or does not fit makes them failing. Both
// are tried again by themselves.
//
// Goroutines: the manager's, in Run, while there is something to do; one for each link
// whose stamp is looked at, and one for each that listens, which end when the last
// trigger has left; and those of questions beside Run, and one for each path that is
// looked up, which are left behind when a server or a file system does not answer.
package database
