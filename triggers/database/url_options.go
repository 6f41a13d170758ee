package database

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// optionNames are the options that URLs of an engine may have: those that say how to
// connect, in the spelling of the usual drivers. Names are compared in lower case.
var optionNames = map[string][]string{
	enginePostgres: {
		"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey",
		"connect_timeout", "application_name", "options", "target_session_attrs", "channel_binding",
	},
	engineMySQL: {
		"host", "port", "user", "password", "database", "unix_socket", "connect_timeout", "charset",
		"ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "ssl", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity",
	},
	engineMSSQL: {
		"host", "port", "user", "password", "database", "instance", "driver", "encrypt", "trustservercertificate",
		"hostnameincertificate", "certificate", "applicationintent", "multisubnetfailover", "connect_timeout", "app name",
		"trusted_connection",
	},
	engineSQLite: {"mode", "timeout", "uri", "check_same_thread", "cache"},
}

// idle are options of other drivers that change nothing here: of how values are decoded,
// or a connection is kept. URLs that programs use have them.
var idle = map[string][]string{
	enginePostgres: {
		"client_encoding", "fallback_application_name", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", "prepared_statement_cache_size", "statement_cache_size", "prepare_threshold",
	},
	engineMySQL: {"autocommit", "binary_prefix", "local_infile", "use_unicode", "read_timeout", "write_timeout", "parsetime", "loc"},
	engineMSSQL: {"charset", "mars_connection", "tds_version", "longasmax"},
}

// spellings are other names of options: those of other drivers for the same thing.
var spellings = map[string]map[string]string{
	enginePostgres: {"database": "dbname", "username": "user", "ssl": "sslmode"},
	engineMySQL: {
		"timeout": "connect_timeout", "dbname": "database", "username": "user", "ssl-mode": "ssl_mode", "tls": "ssl_mode",
		"ssl_check_hostname": "ssl_verify_identity", "usessl": "ssl",
	},
	engineMSSQL: {
		"connection timeout": "connect_timeout", "login timeout": "connect_timeout", "login_timeout": "connect_timeout", "timeout": "connect_timeout", "username": "user", "user id": "user",
		"application name": "app name", "app": "app name", "appname": "app name", "application_name": "app name", "servercertificate": "certificate",
	},
}

// yesNo are the words of options that are true or not.
var yesNo = map[string]string{"true": "", "false": "", "yes": "true", "no": "false", "1": "true", "0": "false", "on": "true", "off": "false"}

// choices are options of a few words. Values of other spellings stand beside the
// word they mean.
var choices = map[string]map[string]string{
	"sslmode": {
		"disable": "", "allow": "", "prefer": "", "require": "", "verify-ca": "", "verify-full": "",
		"true": "require", "false": "disable",
	},
	"ssl_mode": {
		"disabled": "", "preferred": "", "required": "", "verify_ca": "", "verify_identity": "",
		"true": "verify_identity", "false": "disabled", "skip-verify": "required",
	},
	"encrypt":                {"true": "", "false": "", "strict": "", "disable": "", "yes": "true", "no": "false", "mandatory": "true", "optional": "false"},
	"trustservercertificate": yesNo,
	"trusted_connection":     yesNo,
	"multisubnetfailover":    yesNo,
	"ssl":                    yesNo,
	"ssl_disabled":           yesNo,
	"ssl_verify_cert":        yesNo,
	"ssl_verify_identity":    yesNo,
}

// takeOptions reads what follows the ?. Values are repeated in no error: nobody knows
// what stands there in a broken URL.
func (a *address) takeOptions(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return errEscape("the name of an option")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return errEscape("the value of an option")
		}
		if err := a.takeOption(strings.ToLower(name), value); err != nil {
			return err
		}
	}
	return nil
}

func (a *address) takeOption(name, value string) error {
	if other, ok := spellings[a.engine][name]; ok {
		name = other
	}
	if slices.Contains(idle[a.engine], name) {
		return nil
	}
	if !slices.Contains(optionNames[a.engine], name) {
		return unknownOption(a.engine, name)
	}
	if _, twice := a.options[name]; twice {
		return fmt.Errorf("has the option %s twice", name)
	}
	if words := choices[name]; words != nil {
		word := strings.ToLower(value)
		means, ok := words[word]
		if !ok {
			return fmt.Errorf("has a value for %s that is none of %s", name, strings.Join(wordsOf(words), ", "))
		}
		if value = means; means == "" {
			value = word
		}
	}
	a.options[name] = value
	return nil
}

// settleTLS makes ssl_mode of the ways in which drivers of MySQL say the same thing, and
// refuses Windows' own login.
func (a *address) settleTLS() error {
	if a.take("trusted_connection") == "true" {
		return errors.New("has the option trusted_connection: Windows' own login is not supported, so give a user and a password of SQL Server")
	}
	ssl, disabled := a.take("ssl"), a.take("ssl_disabled")
	signed, named := a.take("ssl_verify_cert"), a.take("ssl_verify_identity")
	var mode string
	off := ssl == "false" || disabled == "true"
	switch {
	case off && (ssl == "true" || disabled == "false" || signed == "true" || named == "true"):
		return errors.New("has options of which some ask for TLS and some for none")
	case off:
		mode = "disabled"
	case named == "true":
		mode = "verify_identity"
	case signed == "true":
		mode = "verify_ca"
	case signed == "false", ssl == "true" && a.options["ssl_ca"] == "":
		mode = "required"
	default:
		return nil
	}
	if given := a.options["ssl_mode"]; given != "" && given != mode {
		return errors.New("has ssl_mode and another option that says something else; leave the other one out")
	}
	a.options["ssl_mode"] = mode
	return nil
}

// unknownOption names the option only when it is near to one we know: anything else
// might be a part of a password.
func unknownOption(engine, name string) error {
	switch name {
	case "odbc_connect":
		return errors.New("has odbc_connect, which we don't read; write mssql://user:password@host:1433/database")
	case "immutable", "nolock":
		return fmt.Errorf("has the option %s, with which changes would go unseen", name)
	}
	known := optionNames[engine]
	if like := graph.Suggest(name, known); like != "" {
		return fmt.Errorf("has an unknown option; did you mean %s?", like)
	}
	return fmt.Errorf("has an option that is none of %s; inside of a password a ? is written %%3F and an & %%26", strings.Join(known, ", "))
}

// wordsOf are the words of a choice that stand for themselves, in order.
func wordsOf(words map[string]string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for word, means := range maps.All(words) {
			if means == "" && !yield(word) {
				return
			}
		}
	})
}
