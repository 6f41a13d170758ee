package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Delivery is a request to a webhook.
type Delivery struct {
	To     string // the last part of its path
	Header http.Header
	Query  url.Values
	Body   []byte
	At     time.Time
	Sender Sender
}

// Sender is who sends a delivery, as far as the door knows; nobody by default.
type Sender struct {
	Name    string
	Trigger string // the id of the one trigger to which its token may deliver
	Any     bool   // it may deliver to any trigger
}

// Receipt says what became of a delivery.
type Receipt struct {
	Trigger   string // its name
	Key       string // of its event
	Duplicate bool   // it was delivered before
}

// File is one that came with a delivery, from another machine.
type File struct {
	Trigger string // its name
	Owner   string // who sends it
	Rel     string // its path below what is watched there, with slashes
	SHA256  string
	Size    int64
	Known   bool // its event was stored before
}

// Place puts a file where it belongs and returns its path. It is durable then. One whose
// event is known was sent in vain and is let go of.
type Place func(ctx context.Context, f File) (string, error)

var (
	// ErrAway means that the trigger takes no deliveries at the moment.
	ErrAway = errors.New("the trigger takes no deliveries now")

	errTaken = errors.New("another trigger has the same path_secret or name")
)

// UnknownError is a triggers.ErrNotFound: no source that runs is behind the path.
type UnknownError struct{ Left string } // the trigger (id) whose source has just left, if any

func (e *UnknownError) Error() string { return "nothing is delivered to there" }
func (e *UnknownError) Unwrap() error { return triggers.ErrNotFound }

// RateError means that more is delivered than the trigger takes.
type RateError struct{ After time.Duration } // when the next one may come

func (e *RateError) Error() string { return "more is delivered than accept_rate allows" }

// PlaceError means that the file of a delivery could not be put where it belongs.
type PlaceError struct{ Err error }

func (e *PlaceError) Error() string { return fmt.Sprintf("place the file: %v", e.Err) }
func (e *PlaceError) Unwrap() error { return e.Err }

// maxID bounds the id of a delivery, in bytes.
const maxID = 512

// Deliver stores a delivery as an event of its trigger; nil means that it is durable.
// triggers.ErrNotFound: there is no such trigger (*UnknownError), or not for this sender,
// which nobody is to learn. ErrSignature and ErrExpired are about its signature, *graph.Invalid
// about what it says, *RateError, *PlaceError and ErrAway about us.
func (h *Hub) Deliver(ctx context.Context, d Delivery) (Receipt, error) {
	s, hidden, left := h.find(d.To)
	if s == nil {
		return Receipt{}, &UnknownError{left}
	}
	if !s.open(d.Sender, hidden) {
		return Receipt{}, triggers.ErrNotFound
	}
	if s.sign != nil {
		if err := s.sign.verify(d.Header, d.Body, d.At); err != nil {
			return Receipt{}, s.unsigned(err)
		}
	}
	if r := s.limit.ReserveN(d.At, 1); r.DelayFrom(d.At) > 0 {
		after := r.DelayFrom(d.At)
		r.CancelAt(d.At)
		return Receipt{}, &RateError{after}
	}
	fields, id, err := s.fields(&d)
	if err != nil {
		return Receipt{}, err
	}
	w := &waiting{key: escaped(id), repeats: id != "", done: make(chan result, 1)}
	if !w.repeats {
		u, err := uuid.NewV7()
		if err != nil {
			return Receipt{}, fmt.Errorf("make the key of a delivery: %w", err)
		}
		w.key = u.String()
	}
	receipt := Receipt{Trigger: s.name, Key: w.key}
	if receipt.Duplicate, err = h.bring(ctx, s, &d, fields, w); err != nil || receipt.Duplicate {
		return receipt, err
	}
	if w.payload, err = graph.Canonical(fields); err != nil {
		return Receipt{}, refuse("body", graph.CodeBadValue, "the delivery can't be stored: "+err.Error())
	}
	receipt.Duplicate, err = s.accept(ctx, w)
	return receipt, err
}

// open tells whether a sender may come in by this way.
func (s *source) open(by Sender, hidden bool) bool {
	known := by.Any || by.Trigger != "" && by.Trigger == s.trigger
	switch {
	case s.path != "" && !hidden, s.tokens && !known:
		return false
	}
	return hidden || s.sign != nil || s.tokens
}

// unsigned notes when it is our fault that a signature can't be verified.
func (s *source) unsigned(err error) error {
	if errors.Is(err, ErrSignature) || errors.Is(err, ErrExpired) {
		return err
	}
	s.tell(triggers.Degraded, "deliveries can't be verified: "+err.Error())
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// fields are those of `event`, and the id that the sender has given to the delivery.
func (s *source) fields(d *Delivery) (fields map[string]any, id string, err error) {
	body, err := decodeBody(d.Header, d.Body)
	if err != nil {
		return nil, "", err
	}
	if id, err = s.idOf(d, body); err != nil {
		return nil, "", err
	}
	signed := ""
	if s.sign != nil {
		signed = s.sign.header
	}
	fields = map[string]any{
		"body": body, "headers": headersOf(d.Header, signed), "query": object(d.Query),
		"id": nil, "path": nil, "time": d.At.UTC().Format(instant),
	}
	if id != "" {
		fields["id"] = id
	}
	return fields, id, nil
}

const instant = "2006-01-02T15:04:05.000000Z" // RFC 3339, µs, UTC

// idOf is the id of a delivery; empty: it has none, and each is an event of its own.
func (s *source) idOf(d *Delivery, body any) (id string, err error) {
	switch {
	case s.idHeader != "":
		if id = d.Header.Get(s.idHeader); id == "" {
			return "", refuse(s.idHeader, graph.CodeMissing, "this header is to have the id of the delivery, by which it is known when it comes again")
		}
	case s.sign != nil && s.sign.style == styleStripe:
		event, _ := body.(map[string]any)
		id, _ = event["id"].(string)
	default:
		if id = d.Header.Get("X-GitHub-Delivery"); id == "" {
			id = d.Header.Get("Idempotency-Key")
		}
	}
	if len(id) > maxID {
		return "", refuse("id", graph.CodeTooLarge, fmt.Sprintf("the id of a delivery may have %d bytes at most", maxID))
	}
	return strings.ToValidUTF8(id, "\uFFFD"), nil
}

// escaped is an id as a key, which is like none that a retry makes.
func escaped(id string) string { return strings.NewReplacer("%", "%25", "~", "%7E").Replace(id) }

// bring lets the file that comes with a delivery be put where it belongs, unless the
// delivery is known. Only who is known to the door brings files.
func (h *Hub) bring(ctx context.Context, s *source, d *Delivery, fields map[string]any, w *waiting) (known bool, err error) {
	body, _ := fields["body"].(map[string]any)
	sum, _ := body["sha256"].(string)
	rel, _ := body["rel"].(string)
	if sum == "" || rel == "" || h.place == nil || !s.tokens {
		return false, nil
	}
	if known, err = s.knows(ctx, w.key); err != nil {
		return false, err
	}
	size, _ := body["size"].(int64)
	path, err := h.place(ctx, File{Trigger: s.name, Owner: d.Sender.Name, Rel: rel, SHA256: sum, Size: size, Known: known})
	if err != nil {
		return false, &PlaceError{err}
	}
	fields["path"] = path
	return known, nil
}
