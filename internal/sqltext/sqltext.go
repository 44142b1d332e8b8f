// Package sqltext makes SQL text fit to be shown: without the values that
// were written into it, on one line, and cut to a length.
package sqltext

import (
	"strings"
	"unicode/utf8"
)

// QuotesNames reports whether a driver's dialect writes names, not values, in
// double quotes. For drivers it doesn't know the answer is no, which hides
// more.
func QuotesNames(driver string) bool {
	d := strings.ToLower(driver)
	for _, known := range []string{"pgx", "postgres", "pq.", "stdlib.", "sqlserver", "mssql", "oracle", "godror"} {
		if strings.Contains(d, known) {
			return true
		}
	}
	return d == "pq"
}

// Strip replaces every literal in query by "?", drops comments, folds white
// space and cuts the result to at most max bytes, "…" included. If names is
// set, double-quoted text is a name and stays.
//
// It knows the literals of the common dialects and errs on the side of hiding:
// from an unterminated quote on, nothing is shown.
func Strip(query string, names bool, max int) string {
	s := stripper{in: query, names: names}
	for s.i < len(s.in) && s.out.Len() <= max {
		s.token()
	}
	return cut(strings.TrimSpace(s.out.String()), max)
}

type stripper struct {
	in    string
	i     int
	names bool
	out   strings.Builder
	space bool // white space is due before the next token
}

func (s *stripper) token() {
	rest := s.in[s.i:]
	c := rest[0]
	switch {
	case c <= ' ' || c == 0x7f:
		s.i++
		s.space = true
	case strings.HasPrefix(rest, "--"), c == '#' && !s.names:
		// MySQL's "#" starts a comment; PostgreSQL has operators with it.
		s.skipTo("\n")
	case strings.HasPrefix(rest, "/*"):
		s.i += 2
		s.comment()
	case strings.HasPrefix(rest, `'''`), strings.HasPrefix(rest, `"""`):
		s.hideRest() // a literal of its own kind in some dialects
	case c == '\'', c == '"' && !s.names:
		s.i += quoted(rest, c)
		s.emit("?")
	case c == '"', c == '`':
		n := quoted(rest, c)
		s.i += n
		if n < len(rest) || n > 1 && rest[n-1] == c && rest[n-2] != '\\' {
			s.emit(rest[:n])
		} else {
			s.emit("?") // where the name ends can't be told
		}
	case c == '$':
		s.dollar(rest)
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		s.i += span(rest, isNumber)
		s.emit("?")
	case isWord(c):
		s.word(rest)
	default:
		_, n := utf8.DecodeRuneInString(rest)
		s.i += n
		s.emit(rest[:n])
	}
}

// word is a keyword or a name, or the prefix of a literal: N'…', x'…', E'…'.
func (s *stripper) word(rest string) {
	n := span(rest, isWord)
	if n < len(rest) && rest[n] == '\'' {
		if prefix := strings.ToLower(rest[:n]); prefix == "q" || prefix == "nq" {
			s.hideRest() // Oracle's q'[…]' ends where it likes
			return
		}
		s.i += n // the literal follows and stands for both
		return
	}
	s.i += n
	s.emit(rest[:n])
}

// dollar is a placeholder ($1) or a dollar-quoted literal ($$…$$, $tag$…$tag$).
func (s *stripper) dollar(rest string) {
	n := 1 + span(rest[1:], isWord)
	if n < len(rest) && rest[n] == '$' && (n == 1 || !isDigit(rest[1])) {
		tag := rest[:n+1]
		s.i += len(tag)
		s.skipTo(tag)
		s.emit("?")
		return
	}
	s.i += n
	s.emit(rest[:n])
}

// comment skips a comment whose start was read. Dialects differ on whether
// comments nest: where that decides, the rest counts as part of it.
func (s *stripper) comment() {
	end := strings.Index(s.in[s.i:], "*/")
	if end >= 0 && strings.Contains(s.in[s.i:s.i+end], "/*") {
		end = -1
	}
	s.space = true
	if end < 0 {
		s.i = len(s.in)
		return
	}
	s.i += end + len("*/")
}

// hideRest replaces all that is left.
func (s *stripper) hideRest() {
	s.i = len(s.in)
	s.emit("?")
}

// skipTo moves past the next occurrence of end, or to the end of the text.
func (s *stripper) skipTo(end string) {
	s.space = true
	if j := strings.Index(s.in[s.i:], end); j >= 0 {
		s.i += j + len(end)
		return
	}
	s.i = len(s.in)
}

func (s *stripper) emit(text string) {
	if s.space && s.out.Len() > 0 {
		s.out.WriteByte(' ')
	}
	s.space = false
	s.out.WriteString(strings.ToValidUTF8(text, "\uFFFD"))
}

// quoted returns the length of the quoted text at the start of s. A doubled
// quote stands for itself. Dialects differ on whether a backslash before a
// quote makes it a plain character: where that decides what the literal is,
// all the rest counts as part of it.
func quoted(s string, quote byte) int {
	backslashes := 0
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			backslashes++
			continue
		case s[i] == quote && backslashes%2 == 1:
			return len(s)
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
		backslashes = 0
	}
	return len(s)
}

func span(s string, in func(byte) bool) int {
	i := 0
	for i < len(s) && in(s[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= utf8.RuneSelf
}

func isNumber(c byte) bool { return c == '.' || isWord(c) }

func cut(s string, max int) string {
	const dots = "…"
	if len(s) <= max {
		return s
	}
	return strings.ToValidUTF8(s[:max-len(dots)], "") + dots
}
