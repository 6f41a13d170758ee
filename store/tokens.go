package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Token lets somebody in who is not on this machine. Of its text only the hash is
// kept.
type Token struct {
	ID          string // UUIDv7, a part of the text
	Name        string // one of a name at a time
	Role        string
	Trigger     string // id of the trigger that a token of role source may deliver to
	TriggerName string
	Hash        []byte // SHA-256 of the text
	Owner       string
	CreatedBy   string
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	LastUsedAt  time.Time // to the minute; zero: never
	RevokedAt   time.Time // also when its trigger was removed
}

// TokenFilter selects tokens.
type TokenFilter struct {
	All   bool // also those that expired or were revoked
	Limit int
	After string
}

// tokenView is a token with its trigger.
type tokenView struct {
	Row         tokenRow `gorm:"embedded"`
	TriggerID   string
	TriggerName string
	TriggerGone int64
}

const selectTokens = `SELECT k.*, g.id AS trigger_id, g.name AS trigger_name, g.removed_at AS trigger_gone
	FROM tokens k LEFT JOIN triggers g ON g.n = k.trigger `

func fromTokenView(v *tokenView) Token {
	t := Token{
		ID: v.Row.ID, Name: v.Row.Name, Role: v.Row.Role, Trigger: v.TriggerID, TriggerName: v.TriggerName, Hash: v.Row.Hash,
		Owner: v.Row.Owner, CreatedBy: v.Row.CreatedBy, CreatedAt: fromMicros(v.Row.CreatedAt),
		ExpiresAt: fromMicros(v.Row.ExpiresAt), LastUsedAt: fromMicros(v.Row.LastUsedAt), RevokedAt: fromMicros(v.Row.RevokedAt),
	}
	if t.RevokedAt.IsZero() {
		t.RevokedAt = fromMicros(v.TriggerGone)
	}
	return t
}

// InsertToken stores a token whose ID, Name, Role, Hash and makers are given, and a
// trigger's id for a source. The name of one that has ended is free again.
func (s *Store) InsertToken(ctx context.Context, k Token) (Token, error) {
	err := s.change(ctx, func(t *tx) error {
		var trigger any
		if k.Trigger != "" {
			tr, err := s.trigger(t.gorm(), k.Trigger)
			if err != nil {
				return err
			}
			var n int64
			if err := t.row("SELECT n FROM triggers WHERE id = ?", []any{tr.ID}, &n); err != nil {
				return err
			}
			trigger, k.Trigger, k.TriggerName = n, tr.ID, tr.Name
		}
		if _, err := t.exec(`UPDATE tokens SET revoked_at = min(?, coalesce(expires_at, ?)) WHERE name = ? AND revoked_at IS NULL
			AND (expires_at <= ? OR trigger IN (SELECT n FROM triggers WHERE removed_at IS NOT NULL))`, t.now, t.now, k.Name, t.now); err != nil {
			return err
		}
		n, err := t.exec(`INSERT INTO tokens (id, name, role, trigger, hash, owner, created_by, created_at, expires_at) VALUES (?,?,?,?,?,?,?,?,?)
			ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING`, k.ID, k.Name, k.Role, trigger, k.Hash, k.Owner, k.CreatedBy, t.now, micros(k.ExpiresAt))
		if err == nil && n == 0 {
			err = &ConflictError{Code: "name_taken", Message: fmt.Sprintf("there is a token named %s already; revoke it first or choose another name", k.Name)}
		}
		k.CreatedAt = t.time()
		return err
	})
	return k, err
}

// Token returns one by id, or by name when it has not ended.
func (s *Store) Token(ctx context.Context, idOrName string) (Token, error) {
	return tokenBy(s.read.WithContext(ctx), idOrName)
}

func tokenBy(db *gorm.DB, idOrName string) (Token, error) {
	var vs []tokenView
	err := db.Raw(selectTokens+"WHERE k.id = ? OR (k.name = ? AND k.revoked_at IS NULL) ORDER BY k.id = ? DESC LIMIT 1", idOrName, idOrName, idOrName).Scan(&vs).Error
	if err == nil && len(vs) == 0 {
		err = notFound("token", idOrName)
	}
	if err != nil {
		return Token{}, err
	}
	return fromTokenView(&vs[0]), nil
}

// TokenByID returns one by id alone, as requests name it.
func (s *Store) TokenByID(ctx context.Context, id string) (Token, error) {
	var vs []tokenView
	err := s.read.WithContext(ctx).Raw(selectTokens+"WHERE k.id = ?", id).Scan(&vs).Error
	if err == nil && len(vs) == 0 {
		err = fmt.Errorf("token: %w", ErrNotFound) // what a stranger sends is in no message
	}
	if err != nil {
		return Token{}, err
	}
	return fromTokenView(&vs[0]), nil
}

// Tokens returns a page, newest first.
func (s *Store) Tokens(ctx context.Context, f TokenFilter) ([]Token, string, error) {
	c, err := parseCursor("tokens", f.After)
	if err != nil {
		return nil, "", err
	}
	conds, args := []string{"1"}, []any{}
	if !f.All {
		conds = append(conds, "k.revoked_at IS NULL AND g.removed_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?)")
		args = append(args, s.o.Now().UnixMicro())
	}
	if c != nil {
		conds = append(conds, "(k.created_at, k.id) < (?, ?)")
		args = append(args, c.A, c.S)
	}
	limit := limitOf(f.Limit)
	var vs []tokenView
	q := selectTokens + "WHERE " + strings.Join(conds, " AND ") + " ORDER BY k.created_at DESC, k.id DESC LIMIT ?"
	if err := s.read.WithContext(ctx).Raw(q, append(args, limit+1)...).Scan(&vs).Error; err != nil {
		return nil, "", err
	}
	next := ""
	if len(vs) > limit {
		vs = vs[:limit]
		last := vs[limit-1].Row
		next = pageCursor{K: "tokens", A: last.CreatedAt, S: last.ID}.String()
	}
	out := make([]Token, len(vs))
	for i := range vs {
		out[i] = fromTokenView(&vs[i])
	}
	return out, next, nil
}

// RevokeToken ends one, by id or name. One that was revoked before stays as it is.
func (s *Store) RevokeToken(ctx context.Context, idOrName string) (k Token, err error) {
	err = s.change(ctx, func(t *tx) error {
		if k, err = tokenBy(t.gorm(), idOrName); err != nil {
			return err
		}
		_, err := t.exec("UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", t.now, k.ID)
		return err
	})
	return k, err
}

// UsedTokens notes when tokens (by id) were last used.
func (s *Store) UsedTokens(ctx context.Context, at map[string]time.Time) error {
	return s.change(ctx, func(t *tx) error {
		for id, when := range at {
			if _, err := t.exec("UPDATE tokens SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?", when.UnixMicro(), id); err != nil {
				return err
			}
		}
		return nil
	})
}
