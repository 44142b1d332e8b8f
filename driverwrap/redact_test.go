package driverwrap

import (
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestRedact(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"app:s3cret@tcp(db1:3306)/shop?parseTime=true", "app@tcp(db1:3306)/shop"},
		{"app:p@ss/w:rd@tcp(db1:3306)/shop", "app@tcp(db1:3306)/shop"},
		{"app@unix(/run/mysqld.sock)/shop", "app@unix(/run/mysqld.sock)/shop"},
		{"tcp([::1]:3306)/shop", "tcp([::1]:3306)/shop"},
		{"/shop", "/shop"},
		{"postgres://app:s3cret@db1:5432/shop?sslmode=disable&password=s3cret", "postgres://app@db1:5432/shop"},
		{"app://s3cret@tcp(db1:3306)/shop", "app@tcp(db1:3306)/shop"},
		{"app:s3cret@tcp/shop", "app@tcp/shop"},
		{"postgres://app:s3cret@localhost/shop", "postgres://app@localhost/shop"},
		{"postgres://app:12/s3cret@db1/shop", ""},
		{"postgres://app:12?s3cret@db1/shop", ""},
		{"postgres://app:12#s3cret@db1/shop", ""},
		{"postgres://db1/shop", "postgres://db1/shop"},
		{"postgres://app:%zz@db1/shop", ""},
		{"sqlserver://sa:s3cret@host/instance?database=x", "sqlserver://sa@host/instance"},
		{"host=db1 port=5432 user=app password=s3cret dbname=shop", "host=db1 port=5432 user=app dbname=shop"},
		{"host=db1 password='s3cret host=x'", ""},
		{"host=db1 password='/://s3cret'", ""},
		{"host=localhost user=me password=s3cr;et dbname=x", ""},
		{"server=h;password={my;server=s3cret};database=x", ""},
		{"user=a&password=s3cret", ""},
		{"host=h,password=s3cret", ""},
		{"dbname=postgres://u:s3cret@h/db", ""},
		{"sqlserver://h;user=sa;password=s3cret", ""},
		{"postgres://h/db;password=s3cret", ""},
		{`host=db1 password=s3\ cret`, ""},
		{"server=db1;user id=sa;password=s3cret;database=shop", "server=db1 database=shop"},
		{":memory:", ":memory:"},
		{"shop.db?_pragma=key(s3cret)", "shop.db"},
		{"/var/lib/shop.db", "/var/lib/shop.db"},
		{"file:shop.db?mode=ro&_auth_pass=s3cret", "shop.db"},
		{"file::memory:?cache=shared", ":memory:"},
		{"who knows: s3cret", ""},
		{"", ""},
	} {
		if got := redact(tt.in); got != tt.want {
			t.Errorf("redact(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzRedact puts a password into each form that has a place for one.
func FuzzRedact(f *testing.F) {
	f.Add("app", "a/b@c:d", "db1", "shop")
	f.Add("", "' host=x ", "h", "")
	f.Add("u", "tcp(x)/y?z", "", "a/b")
	f.Fuzz(func(t *testing.T, user, around, host, name string) {
		const secret = "hunter2secret"
		if strings.Contains(user+host+name, secret) {
			return
		}
		password := around + secret + around
		quoted := "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password) + "'"
		m := mysql.NewConfig()
		m.User, m.Passwd, m.Net, m.Addr, m.DBName = word(user), password, "tcp", word(host)+":3306", name
		u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: word(host), Path: name}
		for _, dsn := range []string{
			m.FormatDSN(),
			u.String(),
			"host=" + word(host) + " password=" + quoted + " dbname=" + word(name),
			"password=" + quoted,
			"file:" + word(name) + "?_auth_pass=" + url.QueryEscape(password),
		} {
			if got := redact(dsn); strings.Contains(got, secret) {
				t.Errorf("redact(%q) = %q", dsn, got)
			}
		}
	})
}

// word keeps what can stand in a user, host or name without quoting.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r == '-' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}
