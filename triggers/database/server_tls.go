package database

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// What drivers say for which they have no error of its own: that of PostgreSQL and that of
// SQL Server of a server without TLS, and the latter of a certificate.
const (
	noTLS       = "server refused TLS connection"
	noEncrypt   = "server does not support encryption"
	notVerified = "tls: failed to verify certificate: x509: "
)

// untrusted tells whether a server's certificate was refused, or it speaks no TLS where
// that is asked for: waiting doesn't help.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &header) || errors.As(err, &authority) || errors.As(err, &host) ||
		errors.As(err, &invalid) || speaksNoTLS(err) || strings.Contains(textOf(err), notVerified)
}

func speaksNoTLS(err error) bool {
	return errors.Is(err, mysql.ErrNoTLS) || strings.Contains(textOf(err), noTLS) || strings.Contains(textOf(err), noEncrypt)
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// authorityOption is the option of a URL that names who signs certificates, modeOption
// the one that says whom to trust.
var (
	authorityOption = map[string]string{enginePostgres: "sslrootcert", engineMySQL: "ssl_ca", engineMSSQL: "certificate"}
	modeOption      = map[string]string{enginePostgres: "sslmode", engineMySQL: "ssl_mode", engineMSSQL: "encrypt"}
)

// briefTLS says why a server is not trusted.
func briefTLS(a address, err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	option := authorityOption[a.engine]
	unknown := errors.As(err, &authority) || strings.Contains(err.Error(), notVerified+"certificate signed by unknown authority")
	switch {
	case speaksNoTLS(err):
		return "the server speaks no TLS, and the URL asks for it with " + modeOption[a.engine]
	case errors.As(err, &host):
		return fmt.Sprintf("the server's certificate is for %s, not for %s", namesOf(host.Certificate), host.Host)
	case unknown && a.options[option] != "":
		return "the server's certificate is not signed by the authority in " + a.options[option]
	case unknown:
		return "the server's certificate is signed by nobody that is trusted here; name the file with the certificate of who has signed it in the option " + option
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := invalid.Cert
		return fmt.Sprintf("the server's certificate is valid from %s to %s only", c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
	}
	if _, why, ok := strings.Cut(err.Error(), notVerified); ok {
		return "the server's certificate is refused: " + why
	}
	return err.Error()
}

// namesOf are the hosts that a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host"
	}
	return strings.Join(names, ", ")
}
