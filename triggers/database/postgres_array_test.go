package database

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

func TestArrays_are_read_as_the_server_itself_makes_JSON_of_them(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, _ := s.Database(t)
	c := connectTo(t, postgresDialect{}, s.URL(name))
	rapid.Check(t, func(r *rapid.T) {
		items := rapid.SliceOfN(rapid.Ptr(rapid.StringMatching(`[ -~äλ\n]{0,6}|NULL|null`), true), 0, 5).Draw(r, "items")
		asJSON, err := json.Marshal(items)
		if err != nil {
			r.Fatal(err)
		}
		got := rowsOf(t, c, "SELECT ARRAY(SELECT jsonb_array_elements_text($1::jsonb))", document(asJSON))[0][0]
		doc, ok := got.(document)
		if !ok {
			r.Fatalf("%s is read as %T %v", asJSON, got, got)
		}
		var want, have []*string
		if err := json.Unmarshal(asJSON, &want); err != nil {
			r.Fatal(err)
		}
		if err := json.Unmarshal([]byte(doc), &have); err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			r.Fatal(diff)
		}
	})
}

func FuzzArrayDocument(f *testing.F) {
	for _, text := range []string{`{}`, `{1,NULL,"a \" b"}`, `{{1,2},{3}}`, `{{{{{{{1}}}}}}}`, `{`, `{"`, `{"\`, `{,}`, `[0:1]={1,2}`, "{\xff}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, element := range []uint32{pgtype.TextOID, pgtype.Int4OID, pgtype.JSONBOID, pgtype.ByteaOID, pgtype.TimestamptzOID} {
			if doc, ok := arrayDocument(element, text); ok && !json.Valid([]byte(doc)) {
				t.Fatalf("%q became %q", text, doc)
			}
		}
	})
}
