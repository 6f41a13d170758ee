package runner

import (
	"errors"
	"fmt"
)

func (*Hello) kind() byte     { return 1 }
func (*Start) kind() byte     { return 2 }
func (*Cancel) kind() byte    { return 3 }
func (*Release) kind() byte   { return 4 }
func (*Log) kind() byte       { return 5 }
func (*Check) kind() byte     { return 6 }
func (*Reply) kind() byte     { return 7 }
func (*Unknown) kind() byte   { return 8 }
func (*Refused) kind() byte   { return 9 }
func (*Condition) kind() byte { return 10 }
func (*Ended) kind() byte     { return 11 }

func (*List) kind() byte     { return 12 }
func (*Attempts) kind() byte { return 13 }
func (*Failed) kind() byte   { return 14 }

func blank(kind byte) Message {
	switch kind {
	case 1:
		return &Hello{}
	case 2:
		return &Start{}
	case 3:
		return &Cancel{}
	case 4:
		return &Release{}
	case 5:
		return &Log{}
	case 6:
		return &Check{}
	case 7:
		return &Reply{}
	case 8:
		return &Unknown{}
	case 9:
		return &Refused{}
	case 10:
		return &Condition{}
	case 11:
		return &Ended{}
	case 12:
		return &List{}
	case 13:
		return &Attempts{}
	case 14:
		return &Failed{}
	}
	return nil
}

func (m *Hello) fields(c *coder) {
	c.int(&m.Protocol)
	c.int(&m.PID)
	c.int(&m.UID)
	c.text(&m.BootID)
	c.text(&m.User)
	c.text(&m.Cgroup)
	c.text(&m.WorkDir)
}

func (p *Piece) fields(c *coder) {
	c.text(&p.Name)
	c.int(&p.Size)
	c.int(&p.Mode)
	c.text(&p.Problem)
	c.int(&p.Omitted)
	c.bytes(&p.Data)
	c.bool(&p.FD)
}

func (m *Start) fields(c *coder) {
	c.text(&m.Attempt)
	c.bool(&m.Attach)
	c.bool(&m.Cancel)
	c.texts(&m.Argv)
	c.texts(&m.Env)
	c.texts(&m.Unset)
	c.pieces(&m.Files)
	c.texts(&m.Collect)
	c.texts(&m.Outputs)
	c.int(&m.Timeout)
	c.int(&m.Grace)
}

func (m *Cancel) fields(c *coder) { c.text(&m.Attempt) }

func (m *Release) fields(c *coder) { c.text(&m.Attempt); c.bool(&m.Keep) }

func (m *Log) fields(c *coder) { c.int(&m.Request); c.text(&m.Attempt); c.text(&m.Stream) }

func (m *Check) fields(c *coder) { c.int(&m.Request) }

func (m *Reply) fields(c *coder) { c.int(&m.Request); c.text(&m.Problem); c.bool(&m.FD) }

func (m *List) fields(c *coder) { c.int(&m.Request) }

func (m *Failed) fields(c *coder) { c.text(&m.Attempt) }

func (m *Attempts) fields(c *coder) { c.int(&m.Request); c.texts(&m.Ended); c.texts(&m.Failed) }

func (m *Unknown) fields(c *coder) { c.text(&m.Attempt) }

func (m *Refused) fields(c *coder) {
	c.text(&m.Attempt)
	c.text(&m.Code)
	c.text(&m.Text)
	c.bool(&m.Permanent)
}

func (m *Condition) fields(c *coder) { c.text(&m.Attempt); c.text(&m.Code); c.text(&m.Detail) }

func (m *Ended) fields(c *coder) {
	c.text(&m.Attempt)
	c.text(&m.Cause)
	c.int(&m.Exit)
	c.int(&m.Signal)
	c.int(&m.StartedAt)
	c.int(&m.EndedAt)
	c.int(&m.CPU)
	c.int(&m.MaxRSS)
	c.texts(&m.Notes)
	c.text(&m.WorkDir)
	m.Stdout.fields(c)
	m.Stderr.fields(c)
	c.pieces(&m.Collected)
	c.pieces(&m.Outputs)
}

// decode reads a message; fields that a later protocol may add at the end are ignored.
func decode(kind byte, body []byte) (Message, error) {
	m := blank(kind)
	if m == nil {
		return nil, fmt.Errorf("message of kind %d: %w", kind, errors.ErrUnsupported)
	}
	c := coder{buf: body, reading: true}
	m.fields(&c)
	if c.err != nil {
		return nil, fmt.Errorf("message of kind %d: %w", kind, c.err)
	}
	return m, nil
}
