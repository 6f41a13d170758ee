package runner

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// sample fills a message with random values.
func sample(t *rapid.T) Message {
	m := blank(byte(rapid.IntRange(1, 14).Draw(t, "kind")))
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		fillRandom(t, v.Field(i), v.Type().Field(i).Name)
	}
	return m
}

func fillRandom(t *rapid.T, f reflect.Value, name string) {
	switch f.Interface().(type) {
	case string:
		f.SetString(rapid.String().Draw(t, name))
	case int64:
		f.SetInt(rapid.Int64().Draw(t, name))
	case bool:
		f.SetBool(rapid.Bool().Draw(t, name))
	case []string:
		if l := rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, name); len(l) > 0 {
			f.Set(reflect.ValueOf(l))
		}
	case []byte:
		if b := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, name); len(b) > 0 {
			f.SetBytes(b)
		}
	case Piece:
		for i := range f.NumField() {
			fillRandom(t, f.Field(i), f.Type().Field(i).Name)
		}
	case []Piece:
		for range rapid.IntRange(0, 3).Draw(t, name) {
			p := reflect.New(reflect.TypeFor[Piece]()).Elem()
			fillRandom(t, p, name)
			f.Set(reflect.Append(f, p))
		}
	default:
		t.Fatalf("field %s has a type that is not tested", name)
	}
}

func encode(m Message) []byte {
	var c coder
	m.fields(&c)
	return c.buf
}

func TestMessage_comes_back_as_it_was(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := sample(t)
		got, err := decode(m.kind(), encode(m))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v became %+v, %v", m, got, err)
		}
	})
}

func TestMessage_cut_short_is_refused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := sample(t)
		b := encode(m)
		cut := rapid.IntRange(0, max(0, len(b)-1)).Draw(t, "cut")
		if _, err := decode(m.kind(), b[:cut]); len(b) > 0 && !errors.Is(err, errShort) {
			t.Fatalf("%d of %d bytes of %T: %v", cut, len(b), m, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(byte(2), encode(&Start{Attempt: "a", Argv: []string{"x"}, Files: []Piece{{Name: "f", Data: []byte("d")}}}))
	f.Add(byte(11), encode(&Ended{Attempt: "a", Notes: []string{"n"}}))
	f.Add(byte(2), []byte{1, 'a', 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		m, err := decode(kind, body)
		if err != nil {
			return
		}
		again, err := decode(kind, encode(m))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

// pair makes two connected ends.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := [2]*net.UnixConn{}
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { _ = c.Close() })
	}
	return ends[0], ends[1]
}

func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestConn_carries_messages_and_descriptors_in_order(t *testing.T) {
	keepsNoDescriptor(t)
	x, y := pair(t)
	a, b := NewConn(x), NewConn(y)
	defer b.Drop()
	var fds []int
	var want []uint64
	for range 600 { // more than fit into one control message
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(p[1])
		fds = append(fds, p[0])
		want = append(want, inode(t, p[0]))
	}
	defer CloseAll(fds)
	long := strings.Repeat("x", 300<<10)
	sent := make(chan error, 1)
	go func() {
		err := a.Send(&Cancel{Attempt: "first"})
		err = errors.Join(err, a.Send(&Log{Request: 1}, fds[0]))
		err = errors.Join(err, a.Send(&Start{Attempt: "many", Argv: []string{long}}, fds[1:]...))
		sent <- errors.Join(err, a.Send(&Cancel{Attempt: "last"}))
	}()
	var got []uint64
	for i, kind := range []byte{3, 5, 2, 3} {
		m, in, err := b.Receive()
		if err != nil || m.kind() != kind {
			t.Fatalf("message %d: %T, %v", i, m, err)
		}
		if s, ok := m.(*Start); ok && s.Argv[0] != long {
			t.Error("a long message came damaged")
		}
		for _, fd := range in {
			got = append(got, inode(t, fd))
		}
		CloseAll(in)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d descriptors came, or in another order", len(got))
	}
}

func TestConn_many_messages_in_one_read(t *testing.T) {
	keepsNoDescriptor(t)
	x, y := pair(t)
	a, b := NewConn(x), NewConn(y)
	go func() {
		for i := range 2000 {
			if a.Send(&Check{Request: int64(i)}) != nil {
				return
			}
		}
		a.Close()
	}()
	for i := range 2000 {
		m, _, err := b.Receive()
		if c, ok := m.(*Check); !ok || c.Request != int64(i) {
			t.Fatalf("message %d: %+v, %v", i, m, err)
		}
	}
	if _, _, err := b.Receive(); err == nil {
		t.Error("a message after the last one")
	}
}

// A daemon that dies may have said something just before; what can't be told it any more
// must not drown that.
func TestConn_what_was_said_before_hanging_up_is_heard_after_a_failed_send(t *testing.T) {
	x, y := pair(t)
	a, b := NewConn(x), NewConn(y)
	if err := a.Send(&Check{Request: 1}); err != nil { // which b never reads
		t.Fatal(err)
	}
	for i := range 3 {
		if err := b.Send(&Failed{Attempt: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	for range 2 {
		if err := a.Send(&Check{Request: 2}); !hungUp(err) {
			t.Fatalf("told it: %v", err)
		}
	}
	for i := range 3 {
		m, _, err := a.Receive()
		if f, ok := m.(*Failed); !ok || f.Attempt != strconv.Itoa(i) {
			t.Fatalf("message %d: %+v, %v", i, m, err)
		}
	}
	if _, _, err := a.Receive(); !hungUp(err) {
		t.Errorf("then %v", err)
	}
}

// What can't be said is refused before a byte of it is sent.
func TestConn_is_good_after_something_too_long(t *testing.T) {
	x, y := pair(t)
	a, b := NewConn(x), NewConn(y)
	if err := a.Send(&Start{Argv: []string{strings.Repeat("x", maxBody)}}); !errors.Is(err, ErrTooLong) {
		t.Errorf("a message of %d bytes: %v", maxBody, err)
	}
	if err := a.Send(&Cancel{}, make([]int, 1<<16)...); !errors.Is(err, ErrTooLong) {
		t.Errorf("65536 descriptors: %v", err)
	}
	if err := a.Send(&Cancel{Attempt: "good"}); err != nil {
		t.Fatal(err)
	}
	if m, _, err := b.Receive(); err != nil || m.(*Cancel).Attempt != "good" {
		t.Errorf("%+v %v", m, err)
	}
}

// A peer that doesn't keep to the form is not listened to any longer.
func TestConn_refuses_what_is_no_message(t *testing.T) {
	keepsNoDescriptor(t)
	header := func(body int, kind byte, fds int) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(body))
		return binary.LittleEndian.AppendUint16(append(b, kind), uint16(fds))
	}
	for name, c := range map[string]struct {
		b    []byte
		fds  int
		want string
	}{
		"longer_than_possible":  {header(maxBody+1, 3, 0), 0, "too long for a message"},
		"of_no_kind":            {header(0, 99, 0), 0, "message of kind 99"},
		"without_its_bytes":     {append(header(1, 3, 0), 9), 0, "message ends early"},
		"without_a_descriptor":  {append(header(1, 3, 2), 0), 1, "lacks descriptors: 1 of 2"},
		"wrong_with_descriptor": {header(0, 99, 1), 1, "message of kind 99"},
		"cut_off":               {header(5, 3, 0), 0, "EOF"},
	} {
		x, y := pair(t)
		a := NewConn(y)
		var rights []byte
		if c.fds > 0 {
			rights = unix.UnixRights(0)
		}
		if _, _, err := x.WriteMsgUnix(c.b, rights, nil); err != nil {
			t.Fatal(err)
		}
		_ = x.Close()
		if m, fds, err := a.Receive(); err == nil || m != nil || fds != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v %v %v", name, m, fds, err)
		}
		a.Drop()
		a.Close()
	}
}

// Whatever is written to it, a Conn returns messages and then an error, and keeps no
// descriptor.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 3, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 3, 5, 0})
	f.Add([]byte{2, 0, 0, 0, 99, 0, 0, 1, 2, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 60<<10 {
			return // more than the socket holds
		}
		x, y := pair(t)
		if len(b) > 0 {
			if _, _, err := x.WriteMsgUnix(b, unix.UnixRights(0), nil); err != nil {
				t.Fatal(err)
			}
		}
		_ = x.Close()
		c := NewConn(y)
		for {
			_, fds, err := c.Receive()
			CloseAll(fds)
			if err != nil {
				break
			}
		}
		c.Drop()
		c.Close()
	})
}
