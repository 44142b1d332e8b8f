package sqltext_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dbleaks-go/dbleaks/internal/sqltext"
)

func TestStrip(t *testing.T) {
	for _, tt := range []struct{ in, values, names string }{
		{"SELECT 1", "SELECT ?", "SELECT ?"},
		{"SELECT  a,\n\tb FROM t1 WHERE c = 'x''y' AND d<>-1.5e-3", "SELECT a, b FROM t1 WHERE c = ? AND d<>-?-?", "SELECT a, b FROM t1 WHERE c = ? AND d<>-?-?"},
		{"SELECT ?, $1, :name, @v", "SELECT ?, $1, :name, @v", "SELECT ?, $1, :name, @v"},
		{`SELECT "a" FROM "t"`, "SELECT ? FROM ?", `SELECT "a" FROM "t"`},
		{"SELECT `a` FROM `t`", "SELECT `a` FROM `t`", "SELECT `a` FROM `t`"},
		{"SELECT N'x', x'ff', E'a', 0xff", "SELECT ?, ?, ?, ?", "SELECT ?, ?, ?, ?"},
		{"SELECT $$secret$$, $t$it's$t$", "SELECT ?, ?", "SELECT ?, ?"},
		{"a -- secret\nb /* secret */ c", "a b c", "a b c"},
		{"a # secret\nb", "a b", "a # secret b"},
		// Where dialects disagree on the end of a literal, the rest is hidden.
		{`a = 'x\' AND b = 'secret'`, "a = ?", "a = ?"},
		{`a = 'x\\' AND b = 2`, "a = ? AND b = ?", "a = ? AND b = ?"},
		{"a = 'secret", "a = ?", "a = ?"},
		{"a = `x\\` AND b = 'secret'", "a = ?", "a = ?"},
		{"a = q'[it's secret]'", "a = ?", "a = ?"},
		{"a = '''it's secret'''", "a = ?", "a = ?"},
		{`a = """a "secret" b"""`, "a = ?", "a = ?"},
		{"a /* b /* c */ secret */ d", "a", "a"},
		{"a /* secret", "a", "a"},
		{"", "", ""},
	} {
		if got := sqltext.Strip(tt.in, false, 300); got != tt.values {
			t.Errorf("Strip(%q), values in double quotes = %q, want %q", tt.in, got, tt.values)
		}
		if got := sqltext.Strip(tt.in, true, 300); got != tt.names {
			t.Errorf("Strip(%q), names in double quotes = %q, want %q", tt.in, got, tt.names)
		}
	}
}

func TestStripCuts(t *testing.T) {
	for _, in := range []string{strings.Repeat("column, ", 100), strings.Repeat("é", 100)} {
		got := sqltext.Strip(in, false, 50)
		if len(got) > 50 || !strings.HasSuffix(got, "…") || !utf8.ValidString(got) {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}

func TestQuotesNames(t *testing.T) {
	for driver, want := range map[string]bool{
		"mysql": false, "*mysql.MySQLDriver": false, "unheard-of": false,
		"sqlite3": false, "*sqlite.Driver": false, // a name that is no column's is a value
		"pgx": true, "postgres": true, "*pq.Driver": true, "*stdlib.Driver": true,
	} {
		if got := sqltext.QuotesNames(driver); got != want {
			t.Errorf("QuotesNames(%q) = %v", driver, got)
		}
	}
}

// FuzzStrip puts a secret into a literal, as a careful program would, and
// anything around it.
func FuzzStrip(f *testing.F) {
	f.Add("SELECT * FROM t WHERE a = ", " AND b = 1", "x", true)
	f.Add("SELECT \"", "\"", "y''", false)
	f.Add("/* -- */ SELECT $a$ $a$", "# '", "\\", true)
	f.Fuzz(func(t *testing.T, before, after, around string, names bool) {
		const secret = "hunter2secret"
		if strings.ContainsAny(before, "'\"`$#\\") || strings.Contains(before, "--") || strings.Contains(before, "/*") {
			before = "" // an opened quote there could make a name of the secret
		}
		value := strings.NewReplacer("'", "''", "\\", "\\\\").Replace(around + secret + around)
		in := fmt.Sprintf("%s'%s'%s", before, value, after)
		got := sqltext.Strip(in, names, 200)
		if strings.Contains(got, secret) {
			t.Errorf("Strip(%q) = %q", in, got)
		}
		if len(got) > 200 || !utf8.ValidString(got) {
			t.Errorf("Strip(%q): %d bytes, valid %v", in, len(got), utf8.ValidString(got))
		}
	})
}
