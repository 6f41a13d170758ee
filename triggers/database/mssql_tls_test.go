package database

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packets are a connection on which all travels in packets, as the TLS of SQL Server does
// at first.
type packets struct {
	net.Conn
	left int // of the packet that is read
}

const packetHeader = 8

func (p *packets) Read(b []byte) (int, error) {
	if p.left == 0 {
		header := make([]byte, packetHeader)
		if _, err := io.ReadFull(p.Conn, header); err != nil {
			return 0, err
		}
		p.left = int(header[2])<<8 + int(header[3]) - packetHeader
	}
	n, err := p.Conn.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}

func (p *packets) Write(b []byte) (int, error) {
	size := len(b) + packetHeader
	_, err := p.Conn.Write(append([]byte{4, 1, byte(size >> 8), byte(size), 0, 0, 1, 0}, b...))
	return len(b), err
}

// almostMSSQL is as much of a SQL Server as is needed to see whether it is trusted: it says
// whether it encrypts, does so, and hangs up. It returns its port.
func almostMSSQL(t *testing.T, encrypts byte, certificate tls.Certificate) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }()
		p := &packets{Conn: c}
		if _, err := p.Read(make([]byte, 4096)); err != nil {
			return
		}
		// Two options by their place and length (a version, and whether it encrypts), the end,
		// and what they are.
		_, _ = p.Write([]byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, encrypts})
		_ = tls.Server(p, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}).Handshake()
	}
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestMSSQL_server_is_trusted_as_its_URL_says(t *testing.T) {
	s := httptest.NewTLSServer(nil) // its certificate is for 127.0.0.1 and example.com
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	const can, cannot = 1, 2
	ports := map[byte]string{}
	for _, encrypts := range []byte{can, cannot} {
		ports[encrypts] = almostMSSQL(t, encrypts, s.TLS.Certificates[0])
	}
	for _, c := range []struct {
		host     string
		encrypts byte
		query    string
		want     string // empty: it is trusted, and hangs up
	}{
		{"127.0.0.1", can, "encrypt=true&trustservercertificate=true", ""},
		{"127.0.0.1", can, "encrypt=true&certificate=" + ca, ""},
		{"127.0.0.1", can, "", ""},
		{"127.0.0.1", can, "encrypt=false", ""},
		{"127.0.0.1", can, "encrypt=true", "is signed by nobody that is trusted here; name the file with the certificate of who has signed it in the option certificate"},
		{"localhost", can, "encrypt=true&certificate=" + ca, "the server's certificate is refused: certificate is valid for example.com, *.example.com, not localhost"},
		{"127.0.0.1", can, "encrypt=true&hostnameincertificate=other.example&certificate=" + ca, "not other.example"},
		{"127.0.0.1", cannot, "encrypt=true", "the server speaks no TLS, and the URL asks for it with encrypt"},
	} {
		a := must(parseURL("mssql://lab:Sesame99@" + c.host + ":" + ports[c.encrypts] + "/runs?" + c.query))
		_, err := mssqlDialect{}.open(t.Context(), a)
		if err == nil || strings.Contains(err.Error(), "Sesame") {
			t.Errorf("%s %s: %v", c.host, c.query, err)
			continue
		}
		judged, refused := mssqlDialect{}.judge(err), strings.Contains(err.Error(), "the server's certificate") || strings.Contains(err.Error(), "TLS")
		if c.want == "" && refused || !strings.Contains(err.Error(), c.want) || (judged == troubleOther) != (c.want != "") {
			t.Errorf("%s %s: judged %v: %v", c.host, c.query, judged, err)
		}
	}
}
