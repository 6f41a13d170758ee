package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/api/client"
)

// doors are the addresses that the log of the last start names.
func (v *victim) doors() []string {
	v.t.Helper()
	text, err := os.ReadFile(v.log.Name())
	if err != nil {
		v.t.Fatal(err)
	}
	all := regexp.MustCompile(`"listen":\[([^]]*)\]`).FindAllStringSubmatch(string(text), -1)
	if len(all) == 0 {
		v.t.Fatalf("the log names no address: %s", text)
	}
	var out []string
	for door := range strings.SplitSeq(all[len(all)-1][1], ",") {
		out = append(out, strings.Trim(door, `"`))
	}
	return out
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, DNSNames: []string{"lab.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, leaf, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey})))
	return cert, key
}

func TestCommands_over_TLS(t *testing.T) {
	v := newVictim(t)
	cert, key := selfSigned(t, v.dir)
	v.args = []string{"--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key}
	v.start()
	door := v.doors()[0]
	for _, name := range []string{"LATTICED_SERVER", "LATTICED_TOKEN", "LATTICED_TOKEN_FILE", "LATTICED_CA_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("LATTICED_SOCKET", filepath.Join(v.dir, "s"))
	wants := func(code int, want string, args ...string) string {
		t.Helper()
		got, out, errs := try(t, args...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("%v: status %d, want %d with %q:\n%s%s", args, got, code, want, out, errs)
		}
		return out
	}
	file := filepath.Join(v.dir, "laptop.token")
	wants(0, "which only you can read, and nowhere else", "token", "create", "laptop", "--role", "operator", "--expires", "90d", "--out", file)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	wants(2, "it is there already; name a new file", "token", "create", "other", "--role", "viewer", "--out", file)
	wants(4, "there is a token named laptop already", "token", "create", "laptop", "--role", "viewer", "--out", filepath.Join(v.dir, "none"))
	if exists(filepath.Join(v.dir, "none")) {
		t.Error("a file without a token is left")
	}

	wants(3, "signed by nobody this machine trusts; name it, or its authority's, with --ca-file", "--server", door, "whoami")
	wants(4, "give it in $LATTICED_TOKEN, or in a file with --token-file", "--server", door, "--ca-file", cert, "whoami")
	wants(0, "token:laptop", "--server", door, "--ca-file", cert, "--token-file", file, "whoami")
	wants(3, "is for another name", "--server", strings.Replace(door, "127.0.0.1", "localhost", 1), "--ca-file", cert, "--token-file", file, "whoami")
	wants(2, "read the token: there is no file", "--server", door, "--ca-file", cert, "--token-file", filepath.Join(v.dir, "nothing"), "whoami")
	wants(3, "nobody listens at https://127.0.0.1:1", "--server", "https://127.0.0.1:1", "--ca-file", cert, "whoami")

	wants(4, "speaks TLS: write https://", "--server", strings.Replace(door, "https", "http", 1), "whoami")
	t.Setenv("LATTICED_TOKEN", "hunter2")
	wants(4, "what $LATTICED_TOKEN or --token-file gives is not a whole token", "--server", door, "--ca-file", cert, "whoami")
	t.Setenv("LATTICED_TOKEN", "")

	t.Setenv("LATTICED_SERVER", door)
	t.Setenv("LATTICED_CA_FILE", cert)
	t.Setenv("LATTICED_TOKEN_FILE", file)
	write(t, filepath.Join(v.dir, "hi.yaml"), "lattice: hi\nelectrons:\n  say: {bash: echo hi}\noutput: ${{ electrons.say.result }}\n")
	wants(0, "hi", "dispatch", filepath.Join(v.dir, "hi.yaml"), "--wait")
	wants(0, "token:laptop", "show", "1", "--json")
	wants(4, "this asks for role admin; token:laptop has role operator", "token", "list")
	wants(4, "this asks for role admin", "audit")
	t.Setenv("LATTICED_SERVER", "")
	wants(0, "laptop  operator", "token", "list")
	wants(0, "", "token", "revoke", "laptop")
	wants(0, "token create  laptop  201", "audit", "--object", "laptop")
	wants(0, "ENDED", "token", "list", "--all")
	t.Setenv("LATTICED_SERVER", door)
	wants(4, "the token was revoked", "whoami")
	v.stop()
}

// What was acknowledged is in the audit trail, whenever the daemon died; and what is
// not in it was not done.
func TestCrash_audit_has_what_was_acknowledged(t *testing.T) {
	v := newVictim(t)
	v.args = []string{"--listen", "127.0.0.1:0"}
	v.start()
	boss := client.New(filepath.Join(v.dir, "s"))
	defer boss.Close()
	a, err := boss.CreateToken(t.Context(), client.NewToken{Name: "boss", Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var made []string
	for round := range 4 {
		door := v.doors()[0]
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				c, err := client.Connect(client.Options{Server: door, Token: a.Value.Token})
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				for n := 0; ; n++ {
					name := fmt.Sprintf("t%d-%d-%d", round, i, n)
					if _, err := c.CreateToken(t.Context(), client.NewToken{Name: name, Role: "viewer"}); err != nil {
						return
					}
					mu.Lock()
					made = append(made, name)
					mu.Unlock()
				}
			})
		}
		eventually(t, "some are acknowledged", func() bool { mu.Lock(); defer mu.Unlock(); return len(made) > 30*(round+1) })
		v.kill()
		wg.Wait()
		v.start()
	}
	rows := map[string]int{}
	for q := map[string][]string{"limit": {"500"}}; ; {
		page, err := boss.Audit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Value.Items {
			if e.Status == 201 && e.Action == "CreateToken" && (e.Principal == "token:boss" && e.Via == "tcp" || e.Object == "boss") {
				rows[e.Object]++
			}
		}
		if page.Value.Next == nil {
			break
		}
		q["after"] = []string{*page.Value.Next}
	}
	for _, name := range made {
		if rows[name] != 1 {
			t.Errorf("%s has %d entries", name, rows[name])
		}
	}
	stored := 0
	for q := map[string][]string{"limit": {"500"}}; ; {
		page, err := boss.Tokens(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Value.Items {
			stored++
			if rows[k.Name] != 1 {
				t.Errorf("%s was made, and %d entries tell of it", k.Name, rows[k.Name])
			}
		}
		if page.Value.Next == nil {
			break
		}
		q["after"] = []string{*page.Value.Next}
	}
	if stored != len(rows) {
		t.Errorf("%d tokens, %d entries", stored, len(rows))
	}
	t.Logf("%d acknowledged, %d made", len(made), stored)
}

func TestConfig_of_doors(t *testing.T) {
	for name, c := range map[string]struct {
		http HTTP
		want string
	}{
		"loopback":       {HTTP{Listen: []string{"127.0.0.1:8321", "[::1]:8321", "localhost:8321", "lab.example:8321"}}, ""},
		"everywhere":     {HTTP{Listen: []string{"0.0.0.0:8321"}}, "http.listen[0]: at 0.0.0.0:8321 tokens would cross the network for all to read; give a certificate (--tls-cert and --tls-key), listen at 127.0.0.1 behind a proxy, or say --allow-plain if the network is yours alone"},
		"no_host":        {HTTP{Listen: []string{":8321"}}, "http.listen[0]: at :8321 tokens would cross"},
		"a_network":      {HTTP{Listen: []string{"10.0.0.7:8321"}}, "http.listen[0]: at 10.0.0.7:8321 tokens would cross"},
		"IPv6":           {HTTP{Listen: []string{"[2001:db8::1]:8321"}}, "http.listen[0]: at [2001:db8::1]:8321 tokens would cross"},
		"plain_allowed":  {HTTP{Listen: []string{"0.0.0.0:8321"}, AllowPlain: true}, ""},
		"TLS":            {HTTP{Listen: []string{"0.0.0.0:8321"}, TLSCert: "/c", TLSKey: "/k"}, ""},
		"half_of_TLS":    {HTTP{Listen: []string{"127.0.0.1:1"}, TLSKey: "/k"}, "http.tls_cert and http.tls_key go together: give both"},
		"TLS_of_nothing": {HTTP{TLSCert: "/c", TLSKey: "/k"}, "http.tls_cert and http.allow_plain mean nothing without http.listen (--listen)"},
		"no_port":        {HTTP{Listen: []string{"127.0.0.1"}}, `http.listen[0]: "127.0.0.1" must be HOST:PORT, such as 127.0.0.1:8321`},
		"empty_port":     {HTTP{Listen: []string{"127.0.0.1:"}}, `http.listen[0]: "127.0.0.1:" must be HOST:PORT, such as 127.0.0.1:8321`},
		"twice":          {HTTP{Listen: []string{"127.0.0.1:1", "127.0.0.1:1"}}, "http.listen[1]: 127.0.0.1:1 is there twice"},
		"hosts":          {HTTP{Hosts: []string{"lab.example", "10.0.0.7", "::1"}}, ""},
		"host_and_port":  {HTTP{Hosts: []string{"lab.example:8321", ""}}, `http.hosts[0]: "lab.example:8321" must be a name without a port, such as lab.example` + "\n" + `http.hosts[1]: "" must be`},
		"fewer_than_no":  {HTTP{MaxConnections: -1}, "http.max_connections must not be negative, is -1"},
	} {
		err := (&Config{HTTP: c.http}).Validate()
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServe_refuses_to_show_tokens_to_the_network(t *testing.T) {
	dir := t.TempDir()
	code, _, errs := try(t, "serve", "--state-dir", filepath.Join(dir, "state"), "--socket", filepath.Join(shortDir(t), "s"), "--listen", "0.0.0.0:0")
	if code != exitUsage || !strings.Contains(errs, "give a certificate (--tls-cert and --tls-key), listen at 127.0.0.1 behind a proxy, or say --allow-plain") {
		t.Errorf("status %d: %s", code, errs)
	}
	if exists(filepath.Join(dir, "state")) {
		t.Error("something was made before that was seen")
	}
}

func TestServe_opens_all_doors_or_none(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	code, _, errs := try(t, "serve", "--state-dir", filepath.Join(dir, "state"), "--socket", filepath.Join(dir, "s"), "--listen", "127.0.0.1:0", "--listen", taken.Addr().String())
	if code == 0 || !strings.Contains(errs, "address already in use; another program listens there") {
		t.Errorf("status %d: %s", code, errs)
	}
	if exists(filepath.Join(dir, "s")) {
		t.Error("the socket is there")
	}
}
