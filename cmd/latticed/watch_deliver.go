package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/triggers/spool"
)

// carrier delivers what is in a spool, in order: one event after the other, each tried
// until the daemon has it.
type carrier struct {
	spool   *spool.Spool
	door    *door
	trigger string
	root    string
	host    string
	log     zerolog.Logger

	upload bool          // files go first
	once   bool          // end when nothing is left, or nothing can be delivered
	last   chan struct{} // closed when nothing more is going to be spooled

	longest time.Duration // between two tries
	steady  time.Duration // how long the folder has to stand for a missing file to be gone

	// of the event that is being delivered
	event  int64 // its N
	tries  int   // that have failed because of its file
	hashed hashed
	unsure bool // whether the daemon has it: the answer was lost, or we have just begun

	stood standing
}

const (
	shortestPause = 200 * time.Millisecond
	longestPause  = time.Minute
	answerWithin  = 10 * time.Minute // of a request; more for large files
)

func newCarrier(s *spool.Spool, d *door, trigger, root string, log zerolog.Logger) *carrier {
	host, err := os.Hostname()
	if err != nil {
		host = "" // then it isn't told
	}
	return &carrier{
		spool: s, door: d, trigger: trigger, root: root, host: host, log: log,
		unsure: true, last: make(chan struct{}), longest: longestPause, steady: 10 * time.Second,
	}
}

// run delivers until ctx ends.
func (c *carrier) run(ctx context.Context) error {
	pause := time.Duration(0)
	for {
		e, some, err := c.spool.Next(ctx)
		if err == nil && some {
			err = c.deliver(ctx, e)
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			c.spool.Trouble(spokenTrouble(err))
			var file *fileError
			if c.once && !errors.As(err, &file) {
				return err
			}
			pause = min(max(2*pause, shortestPause), c.longest)
			if tooFast(err) {
				pause = min(time.Second, c.longest)
			}
			if err := sleep(ctx, pause/2+rand.N(pause/2+1)); err != nil {
				return err
			}
		case some:
			pause = 0
			c.spool.Trouble("")
		default:
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-c.spool.Added():
			case <-c.last:
				if _, some, err := c.spool.Next(ctx); err != nil || !some {
					return err
				}
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// tooFast tells whether the trigger takes no more for the moment.
func tooFast(err error) bool {
	var no *client.Refused
	return errors.As(err, &no) && no.Status == http.StatusTooManyRequests
}

// spokenTrouble says why nothing is delivered, and what to do.
func spokenTrouble(err error) string {
	var no *client.Refused
	if errors.As(err, &no) {
		said := fmt.Sprintf("the daemon refuses (%d %s): %s", no.Status, no.Code, oneLine(no.Error()))
		switch no.Code {
		case "not_found":
			said += "; it must be a trigger of kind webhook, and the token of role source for it"
		case "unauthenticated":
			said += "; what --token-file or $LATTICED_TOKEN gives is not what the daemon made"
		}
		return said
	}
	var away *client.Unreachable
	if errors.As(err, &away) {
		return oneLine(remoteRemedy(away))
	}
	return oneLine(err.Error())
}

// deliver has the daemon take one event; nil: it has it, or never will.
func (c *carrier) deliver(ctx context.Context, e spool.Event) error {
	if c.event != e.N {
		c.event, c.tries, c.hashed = e.N, 0, hashed{}
	}
	api, err := c.door.connect()
	if err != nil {
		return err
	}
	body, size, err := c.body(ctx, api, e)
	if err != nil {
		return err
	}
	began := time.Now()
	answer, stop := context.WithTimeout(ctx, answerTime(size))
	defer stop()
	a, err := api.Deliver(answer, c.trigger, c.deliveryID(e), body)
	var no *client.Refused
	asked := c.unsure
	c.unsure = err != nil // a refusal may be that of a second try below us
	switch {
	case asked && errors.As(err, &no) && no.Code == "upload_missing":
		c.unsure = false
		return c.deliver(ctx, e) // with the file, now that it has to be sent
	case errors.As(err, &no) && forGood(no):
		c.unsure = false
		c.log.Warn().Str("key", e.Key).Str("code", no.Code).Str("reason", oneLine(no.Error())).Msg("refused, and put aside")
		return c.spool.Refuse(ctx, e, fmt.Sprintf("%d %s: %s", no.Status, no.Code, oneLine(no.Error())))
	case err != nil:
		return err
	}
	c.log.Info().Str("key", e.Key).Bool("duplicate", a.Value.Duplicate).Dur(keyDur, time.Since(began)).Msg("delivered")
	return c.spool.Done(context.WithoutCancel(ctx), e)
}

// forGood tells whether an event is refused for what it is, so that trying again is
// useless. Everything else may change: a token, a trigger, a disk.
func forGood(no *client.Refused) bool {
	switch no.Status {
	case http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}

// answerTime is how long the daemon may take over so many bytes.
func answerTime(size int64) time.Duration {
	return answerWithin + time.Duration(size/(10<<20))*time.Second
}

// deliveryID names an event, so that the daemon knows it when it comes again, also from
// a new spool.
func (c *carrier) deliveryID(e spool.Event) string {
	sum := sha256.Sum256([]byte(c.host + "\x00" + e.Key))
	return hex.EncodeToString(sum[:16])
}

// body is what is posted: the fields of the event, where it comes from, and what became
// of its file. size is how many bytes of the file the daemon has to put in its place.
func (c *carrier) body(ctx context.Context, api *client.Client, e spool.Event) (body []byte, size int64, err error) {
	fields := map[string]any{}
	dec := json.NewDecoder(bytes.NewReader(e.Payload))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		return nil, 0, fmt.Errorf("read the event %s: %w", e.Key, err)
	}
	fields["host"] = c.host
	if utf8.ValidString(c.root) {
		fields["root"] = c.root
	}
	path := pathOf(fields)
	if c.upload && path != "" && e.Kind != "deleted" {
		sent, known := c.sentBefore(ctx, path)
		if !known {
			sent, err = c.send(ctx, api, path)
		}
		if err != nil {
			return nil, 0, err
		}
		fields["upload"] = sent.how
		if sent.how == sentWhole {
			fields["sha256"], fields["size"], size = sent.sha256, sent.size, sent.size
			fields["rel"] = c.relOf(path)
		}
	}
	body, err = json.Marshal(fields)
	return body, size, err
}

// relOf is where a file is below the folder, in UTF-8: bytes that are not, are written as
// %NN. If a single file is watched that is its name.
func (c *carrier) relOf(path string) string {
	rel, ok := strings.CutPrefix(path, strings.TrimSuffix(c.root, "/")+"/")
	if !ok {
		rel = filepath.Base(path)
	}
	if utf8.ValidString(rel) {
		return rel
	}
	var b strings.Builder
	for i := 0; i < len(rel); {
		r, n := utf8.DecodeRuneInString(rel[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, "%%%02X", rel[i])
		} else {
			b.WriteString(rel[i : i+n])
		}
		i += n
	}
	return b.String()
}

// pathOf is the path of an event; empty when it has none.
func pathOf(fields map[string]any) string {
	if p, ok := fields["path"].(string); ok {
		return p
	}
	b64, _ := fields["path_b64"].(string)
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return ""
	}
	return string(raw)
}
