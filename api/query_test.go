package api

import (
	"net/url"
	"strconv"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestQuery_refuses_what_a_route_does_not_take(t *testing.T) {
	ops := operations()
	for _, c := range []struct{ name, op, query, want string }{
		{"misspelt", "ListDispatches", "statsu=running", `statsu: unknown query parameter; did you mean "status"?`},
		{"unlike_any", "GetDispatch", "zzzzz=1", "zzzzz: unknown query parameter; known are wait"},
		{"where_none_is_taken", "Whoami", "a=b", "a: unknown query parameter; this route takes none"},
		{"twice", "ListDispatches", "owner=a&owner=b", "owner: may be given once"},
		{"limit_is_text", "ListDispatches", "limit=many", `limit: must be an integer, not "many"`},
		{"limit_is_zero", "ListTriggers", "limit=0", "limit: must be between 1 and 500, not 0"},
		{"limit_is_too_large", "ListTriggers", "limit=501", "limit: must be between 1 and 500, not 501"},
		{"tail_is_negative", "GetStdout", "tail=-1", "tail: must not be negative"},
		{"follow_is_no_flag", "GetStdout", "follow=yes", `follow: must be 1 or 0, not "yes"`},
		{"inputs_only_where_dispatches_are_listed", "ListElectrons", "input.a=1", "input.a: unknown query parameter; known are after, limit, status"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := url.ParseQuery(c.query)
			if err != nil {
				t.Fatal(err)
			}
			if err := ops[c.op].checkQuery(q); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestQuery_takes_what_the_document_names(t *testing.T) {
	ops := operations()
	for op, query := range map[string]string{
		"ListDispatches": "status=a&status=b&label=x&limit=500&input.n=1&since=x",
		"GetStdout":      "follow=1&tail=0&attempt=2",
		"GetTrigger":     "effective=true",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if err := ops[op].checkQuery(q); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}
