package driverwrap

import (
	"net/url"
	"regexp"
	"strings"
)

// redact makes a data source fit to be shown: user, host and database, and
// nothing of what else it holds. A form that it doesn't know gives "".
func redact(dsn string) string {
	// MySQL's form first: its password may look like the rest of a URL.
	if s, ok := redactMySQL(dsn); ok {
		return s
	}
	switch {
	case urlScheme.MatchString(dsn):
		return redactURL(dsn)
	case strings.HasPrefix(dsn, "file:"):
		path, _, _ := strings.Cut(dsn, "?")
		return plainPath(strings.TrimPrefix(path, "file:"))
	case strings.ContainsAny(dsn, "'\"\\`"):
		return "" // quoting rules differ; a secret may look like a new key
	case keyValue.MatchString(dsn):
		return redactKeys(dsn)
	}
	path, _, _ := strings.Cut(dsn, "?")
	return plainPath(path)
}

var urlScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

func redactURL(dsn string) string {
	u, err := url.Parse(dsn)
	// An @ behind the host may end a password with an unescaped character,
	// which then starts where the host seems to.
	if err != nil || strings.Contains(u.Path+"?"+u.RawQuery+"#"+u.Fragment, "@") || strings.ContainsAny(u.Host+u.Path, ";=") {
		return ""
	}
	out := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		out.User = url.User(name)
	}
	return out.String()
}

// The address and name of [user[:password]@][net[(addr)]]/name; see
// the documentation of github.com/go-sql-driver/mysql.
var (
	mysqlAddress = regexp.MustCompile(`^(|tcp|unix|\w*\([^()@]*\))$`)
	mysqlUser    = regexp.MustCompile(`^[\w.$-]*$`)
	mysqlName    = regexp.MustCompile(`^[\w.%-]*$`)
)

func redactMySQL(dsn string) (string, bool) {
	slash := strings.LastIndexByte(dsn, '/')
	if slash < 0 {
		return "", false
	}
	name, _, _ := strings.Cut(dsn[slash+1:], "?")
	left := dsn[:slash]
	at := strings.LastIndexByte(left, '@')
	address := left[at+1:]
	if !mysqlAddress.MatchString(address) || !mysqlName.MatchString(name) {
		return "", false
	}
	if at < 0 {
		return address + "/" + name, true
	}
	user, _, _ := strings.Cut(left[:at], ":")
	if !mysqlUser.MatchString(user) {
		return "", false
	}
	return user + "@" + address + "/" + name, true
}

// keyValue are the forms of PostgreSQL ("host=… user=…") and SQL Server
// ("server=…;user id=…").
var keyValue = regexp.MustCompile(`^\s*[A-Za-z][\w ]*=`)

func redactKeys(dsn string) string {
	split := strings.Fields
	if strings.Contains(dsn, ";") {
		split = func(s string) []string { return strings.Split(s, ";") }
	}
	var out []string
	for _, field := range split(dsn) {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "host", "hostaddr", "port", "dbname", "user", "server", "database":
			if strings.ContainsAny(value, "=&,;{}@") || strings.ContainsAny(dsn, ";") && strings.ContainsAny(dsn, "{}") {
				return "" // not the form it was taken for
			}
			out = append(out, key+"="+value)
		}
	}
	return strings.Join(out, " ")
}

// plainPath passes the path of a database file, or ":memory:".
func plainPath(path string) string {
	if path != ":memory:" && strings.ContainsAny(path, "@:=;") {
		return ""
	}
	return path
}
