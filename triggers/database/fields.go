package database

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Modes.
const (
	modeRows  = "rows"  // each new row once
	modeLevel = "level" // as long as there are rows
)

// Defaults and limits.
const (
	everySecond  = time.Second
	fastest      = 50 * time.Millisecond
	inLookBack   = 30 * time.Second
	rowsAtOnce   = 1_000
	mostAtOnce   = 5_000
	queryTimeout = 10 * time.Second
	mostClauses  = 64
)

// config is what the fields of a trigger say.
type config struct {
	place    place
	listen   string // a channel of PostgreSQL; empty: none
	table    tableName
	interval time.Duration
	clauses  []string
	wish
	start    any // "now", "beginning", or the value of the cursor columns
	lookBack time.Duration
	limit    int
	timeout  time.Duration // of one statement
	afterN   int64         // level: every so many polls that find rows
}

// readFile reads db_path of kind sqlite.
func readFile(f *triggers.Fields) place {
	text := f.Required("db_path", "the SQLite file, as an absolute path")
	if text == "" {
		return place{}
	}
	a, err := parseFile(text)
	if err != nil {
		f.Refuse("db_path", graph.CodeBadPath, "%v", err)
	}
	return place{direct: a}
}

// urlFields are the ways to say where a database is.
var urlFields = [...]string{"db_path", "url", "url_file", "url_env"}

var envPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// readURL reads where the database of kind database is, and what is shown of it.
func readURL(f *triggers.Fields) (place, map[string]string) {
	var given []string
	for _, field := range urlFields {
		if f.Has(field) {
			given = append(given, field)
		}
		f.Alias(field)
	}
	switch {
	case len(given) == 0:
		f.Refuse("url", graph.CodeMissing, "say which database: url (such as postgresql://user@host/db), url_file (a file with the URL) or url_env (a variable of the daemon with it)")
		return place{}, nil
	case len(given) > 1:
		f.Refuse(given[1], graph.CodeBadValue, "give one of url, url_file and url_env, not %s", strings.Join(given, " and "))
		return place{}, nil
	}
	field := given[0]
	text := f.Required(field, "the URL of a database")
	switch field {
	case "url_file":
		if text != "" && !strings.HasPrefix(text, "/") {
			f.Refuse(field, graph.CodeBadPath, "must be an absolute path, not %q", text)
		}
		return place{file: text}, nil
	case "url_env":
		if text != "" && !envPattern().MatchString(text) {
			f.Refuse(field, graph.CodeBadValue, "must be the name of a variable, such as LAB_DB_URL")
		}
		return place{env: text}, nil
	}
	if text == "" {
		return place{}, nil
	}
	a, err := parseURL(text)
	if err != nil {
		f.Refuse(field, graph.CodeBadValue, "%v", err)
		f.Set(field, "***", triggers.FromTrigger)
		return place{}, map[string]string{field: "***"}
	}
	if a.password.reveal() == "" {
		return place{direct: a}, nil
	}
	f.Set(field, a.String(), triggers.FromTrigger)
	return place{direct: a}, map[string]string{field: a.String()}
}

// readListen reads the channel that wakes a trigger before its next poll.
func readListen(f *triggers.Fields, p place) string {
	channel := f.Text("listen", "")
	if len(channel) > 63 {
		f.Refuse("listen", graph.CodeBadValue, "must be the name of a channel, of 63 bytes at most")
	}
	if channel != "" && p.direct.engine != "" && p.direct.engine != enginePostgres {
		f.Refuse("listen", graph.CodeBadValue, "only PostgreSQL has channels; leave it out, and choose a shorter poll_interval")
	}
	return channel
}

// readTable reads what both kinds have.
func readTable(f *triggers.Fields, c *config) {
	if text := f.Required("table_name", "the table or view to watch"); text != "" {
		name, err := parseTableName(text)
		if err != nil {
			f.Refuse("table_name", graph.CodeBadValue, "%v", err)
		}
		c.table = name
	}
	c.interval = f.Duration("poll_interval", everySecond, fastest)
	c.clauses = f.Words("where_clauses", nil)
	if len(c.clauses) > mostClauses {
		f.Refuse("where_clauses", graph.CodeTooLarge, "may list %d conditions at most, not %d", mostClauses, len(c.clauses))
	}
	for i, clause := range c.clauses {
		if err := checkClause(clause); err != nil {
			f.Refuse(fmt.Sprintf("where_clauses[%d]", i), graph.CodeBadValue, "%v", err)
		}
	}
	c.mode = f.OneOf("mode", modeRows, modeRows, modeLevel)
	c.columns = f.Words("columns", nil)
	c.key = f.Words("key", nil)
	c.timeout = f.Duration("query_timeout", queryTimeout, 100*time.Millisecond)
	if c.mode == modeLevel {
		c.afterN = f.Int("trigger_after_n", 1, 1, 1_000_000_000)
		meaningless(f, modeLevel, "cursor", "version", "start", "look_back", "limit")
		return
	}
	c.cursor = f.Words("cursor", nil)
	c.version = f.Text("version", "")
	c.start = f.Value("start", "now")
	c.lookBack = f.Duration("look_back", inLookBack, 0)
	c.limit = int(f.Int("limit", rowsAtOnce, 1, mostAtOnce))
	if f.Has("trigger_after_n") && f.Int("trigger_after_n", 1, 1, 1_000_000_000) != 1 {
		f.Refuse("trigger_after_n", graph.CodeBadValue, "counts polls, which goes with mode: level; in mode rows each new row is an event (batch.size makes one dispatch of several)")
	} else {
		f.Alias("trigger_after_n")
	}
}

// meaningless refuses fields that say nothing in a mode.
func meaningless(f *triggers.Fields, mode string, fields ...string) {
	for _, field := range fields {
		if f.Has(field) {
			f.Refuse(field, graph.CodeBadValue, "means nothing with mode: %s, which looks at all rows each time", mode)
		}
		f.Alias(field)
	}
}

// parseTableName reads a table, or schema.table; each may stand in double quotes.
func parseTableName(text string) (tableName, error) {
	var parts []string
	for rest := text; ; {
		var part string
		if quotedPart, ok := strings.CutPrefix(rest, `"`); ok {
			i := strings.IndexByte(quotedPart, '"')
			if i < 0 {
				return tableName{}, fmt.Errorf("has a \" that is not closed")
			}
			part, rest = quotedPart[:i], quotedPart[i+1:]
		} else {
			i := strings.IndexByte(rest, '.')
			if i < 0 {
				i = len(rest)
			}
			part, rest = rest[:i], rest[i:]
		}
		if part == "" || strings.ContainsRune(part, 0) {
			return tableName{}, fmt.Errorf("must be a table, or schema.table, not %q", text)
		}
		parts = append(parts, part)
		if rest == "" {
			break
		}
		var dot bool
		if rest, dot = strings.CutPrefix(rest, "."); !dot || len(parts) == 2 {
			return tableName{}, fmt.Errorf("must be a table, or schema.table, not %q", text)
		}
	}
	if len(parts) == 1 {
		return tableName{name: parts[0]}, nil
	}
	return tableName{schema: parts[0], name: parts[1]}, nil
}

// scope names what a cursor is of: when it changes, the trigger begins anew.
func (c *config) scope() string {
	b, err := json.Marshal([]any{c.place.scope(), c.table.schema, c.table.name, c.mode, c.cursor, c.key, c.version})
	if err != nil {
		b = []byte(c.table.name) // texts always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
