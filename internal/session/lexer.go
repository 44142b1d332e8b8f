package session

import "strings"

// token is a piece of SQL text.
type token struct {
	kind byte // one of those below, or a character that stands for itself
	text string
}

const (
	end    = 0
	word   = 'w'
	number = '0'
	quoted = 'q' // a literal or a name in quotes
)

// lexer cuts SQL text in tokens. Once it is unsure where a token ends, nothing
// of the rest can be told.
type lexer struct {
	rest    string
	dialect Dialect
	unsure  bool
	tok     token
}

// next reads the next token; at the end of what can be read, that is end.
func (l *lexer) next() {
	l.blanks()
	if l.unsure || l.rest == "" {
		l.tok = token{}
		return
	}
	switch c := l.rest[0]; {
	case c == 0: // where SQLite stops reading
		l.giveUp()
	case c == '\'':
		l.quote(c, l.dialect != SQLite)
	case c == '"':
		l.quote(c, l.dialect == MySQL)
	case c == '`' && l.dialect != Postgres:
		l.quote(c, false)
	case c == '[' && l.dialect == SQLite:
		l.skipPast(1, "]")
	case c == '$' && l.dialect == Postgres && l.dollarTag() > 0:
		n := l.dollarTag()
		l.skipPast(n, l.rest[:n])
	case isWord(c):
		l.word()
	default:
		l.take(c, 1)
	}
}

func (l *lexer) take(kind byte, n int) {
	l.tok = token{kind, l.rest[:n]}
	l.rest = l.rest[n:]
}

func (l *lexer) giveUp() {
	l.unsure = true
	l.tok = token{}
}

// skipPast takes what goes on to the next occurrence of what it ends in.
func (l *lexer) skipPast(from int, ending string) {
	i := strings.Index(l.rest[from:], ending)
	if i < 0 {
		l.giveUp()
		return
	}
	l.take(quoted, from+i+len(ending))
}

// quote takes what is in quotes; a doubled one stands for itself. Where it
// depends on the server's settings whether a backslash before a quote makes it
// a plain character, the end can't be told.
func (l *lexer) quote(q byte, backslashMatters bool) {
	escaped := false
	for i := 1; i < len(l.rest); i++ {
		switch c := l.rest[i]; {
		case c == '\\':
			escaped = !escaped
			continue
		case c != q:
		case escaped && backslashMatters:
			l.giveUp()
			return
		case i+1 < len(l.rest) && l.rest[i+1] == q:
			i++
		default:
			l.take(quoted, i+1)
			return
		}
		escaped = false
	}
	l.giveUp()
}

// dollarTag returns the length of the tag that begins PostgreSQL's $tag$…$tag$,
// or 0.
func (l *lexer) dollarTag() int {
	i := 1
	for i < len(l.rest) && isWord(l.rest[i]) && l.rest[i] != '$' {
		i++
	}
	if i == len(l.rest) || l.rest[i] != '$' || i > 1 && isDigit(l.rest[1]) {
		return 0
	}
	return i + 1
}

// word takes a keyword, a name or a number, or what is in quotes after the
// letter that says how to read it.
func (l *lexer) word() {
	n := 1
	for n < len(l.rest) && isWord(l.rest[n]) {
		n++
	}
	switch {
	case isDigit(l.rest[0]):
		l.take(number, n)
	case n == 1 && n < len(l.rest) && l.rest[n] == '\'':
		prefix := l.rest[0] | 0x20
		l.rest = l.rest[n:]
		l.quote('\'', l.dialect != SQLite || prefix == 'e')
	default:
		l.take(word, n)
	}
}

// blanks skips white space and comments. MySQL runs what is in /*! … */.
func (l *lexer) blanks() {
	for l.rest != "" && !l.unsure {
		switch {
		case l.rest[0] != 0 && l.rest[0] <= ' ':
			l.rest = l.rest[1:]
		case strings.HasPrefix(l.rest, "/*!"), strings.HasPrefix(l.rest, "/*M!"):
			l.unsure = l.unsure || l.dialect == MySQL
			l.comment()
		case strings.HasPrefix(l.rest, "/*"):
			l.comment()
		case strings.HasPrefix(l.rest, "--") && (l.dialect != MySQL || len(l.rest) == 2 || l.rest[2] <= ' '),
			l.rest[0] == '#' && l.dialect == MySQL:
			i := strings.IndexByte(l.rest, '\n') + 1
			if i == 0 {
				i = len(l.rest)
			}
			l.rest = l.rest[i:]
		default:
			return
		}
	}
}

// comment skips a comment; those of PostgreSQL nest.
func (l *lexer) comment() {
	depth := 0
	for i := 0; i+1 < len(l.rest); i++ {
		switch {
		case l.rest[i] == '/' && l.rest[i+1] == '*' && (depth == 0 || l.dialect == Postgres):
			depth++
			i++
		case l.rest[i] == '*' && l.rest[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				l.rest = l.rest[i+1:]
				return
			}
		}
	}
	l.giveUp()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c == '$' || isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
}
