package database

import (
	"os"
	"strings"
	"testing"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// tlsOptions are how an engine's URLs say whom to trust.
var tlsOptions = map[string]struct{ off, maybe, any, authority, name, ca, cert, key, told string }{
	"postgres": {
		"sslmode=disable", "sslmode=prefer", "sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "sslrootcert", "sslcert", "sslkey",
		"SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
	},
	"mariadb": {
		"ssl_mode=disabled", "ssl_mode=preferred", "ssl_mode=required", "ssl_mode=verify_ca", "ssl_mode=verify_identity", "ssl_ca", "ssl_cert", "ssl_key",
		"SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
	},
}

func TestServer_is_trusted_as_its_URL_says(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		server, o := s.own(t), tlsOptions[s.name]
		name, _ := server.Database(t)
		check := func(host, query, want string) { // want is "TLS", "plain" or what the error says
			t.Helper()
			a := must(parseURL(server.URLAt(host+":"+portOf(t, server), dbtest.User, dbtest.Password, name) + "?" + query))
			c, err := s.dialect.open(t.Context(), a)
			if err != nil {
				text := newRedactor(a).text(err.Error())
				if !strings.Contains(text, want) || s.dialect.judge(err) != troubleOther || strings.Contains(err.Error(), "Se5ame") {
					t.Errorf("%s?%s: judged %v, not to have %q: %s", host, query, s.dialect.judge(err), want, text)
				}
				return
			}
			defer func() { _ = c.close() }()
			is := "plain"
			if v := rowsOf(t, c, o.told)[0][0]; v == true || v == int64(1) {
				is = "TLS"
			}
			if is != want {
				t.Errorf("%s?%s: it is %s, not %s", host, query, is, want)
			}
		}
		const ip, host = "127.0.0.1", "localhost" // which the certificate is not for
		for _, query := range []string{"", o.off, o.maybe} {
			check(ip, query, "plain")
		}
		for _, query := range []string{o.any, o.authority, o.name} {
			check(ip, query, "the server speaks no TLS, and the URL asks for it with "+strings.Split(query, "=")[0])
		}
		files := server.Encrypt(t)
		ca, other := "&"+o.ca+"="+files.Authority, "&"+o.ca+"="+dbtest.Stranger(t)
		check(ip, o.off+ca, "plain")
		for _, query := range []string{"", o.maybe, o.any, o.any + ca, o.authority + ca, o.name + ca} {
			check(ip, query, "TLS")
		}
		check(host, o.authority+ca, "TLS")
		check(host, o.name+ca, "the server's certificate is for 127.0.0.1, not for localhost")
		for _, query := range []string{o.authority, o.name} {
			check(ip, query, "is signed by nobody that is trusted here; name the file with the certificate of who has signed it in the option "+o.ca)
			check(ip, query+other, "is not signed by the authority in /")
			check(ip, query+"&"+o.ca+"=/no/such/file", "no such file")
		}
	})
}

func TestServer_that_wants_a_certificate_of_its_client_gets_it(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		server, o := s.own(t), tlsOptions[s.name]
		name, db := server.Database(t)
		files := server.Encrypt(t)
		if s.name == "mariadb" {
			dbtest.Exec(t, db, "CREATE USER 'certified'@'127.0.0.1' REQUIRE X509", "GRANT ALL ON *.* TO 'certified'@'127.0.0.1'")
		} else {
			dbtest.Exec(t, db, "CREATE ROLE certified LOGIN")
			rules := "hostssl all certified 127.0.0.1/32 trust clientcert=verify-ca\nhost all lab 127.0.0.1/32 scram-sha-256\n"
			if err := os.WriteFile(server.Folder+"/data/pg_hba.conf", []byte(rules), 0o600); err != nil {
				t.Fatal(err)
			}
			dbtest.Exec(t, db, "SELECT pg_reload_conf()")
		}
		url := server.URLAt("127.0.0.1:"+portOf(t, server), "certified", "", name) + "?" + o.name + "&" + o.ca + "=" + files.Authority
		eventually(t, "it is refused without", func() bool {
			_, err := s.dialect.open(t.Context(), must(parseURL(url)))
			return s.dialect.judge(err) == troubleDenied && strings.Contains(err.Error(), map[string]string{"mariadb": "Access denied", "postgres": "valid client certificate"}[s.name])
		})
		url += "&" + o.cert + "=" + files.Certificate + "&" + o.key + "=" + files.Key
		if got := rowsOf(t, connectTo(t, s.dialect, url), "SELECT 1"); len(got) != 1 {
			t.Errorf("%v", got)
		}
	})
}
