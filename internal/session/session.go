// Package session reads from SQL text what a statement leaves behind on its
// connection when it is over: a transaction, a lock, a changed setting.
//
// It would rather overlook something than see what isn't there. What it can't
// read for certain ends everything that was known.
package session

import "strings"

// Aspect is a set of things that a connection can be left with.
type Aspect uint8

// The aspects.
const (
	Tx         Aspect = 1 << iota // a transaction that was begun by SQL text
	Autocommit                    // autocommit is off: each statement is in a transaction
	Tables                        // MySQL's LOCK TABLES
	Lock                          // a lock that the statement is sure to have got
	TryLock                       // a lock that it may have got: its result says so
	Setting                       // a changed setting
	Listen                        // PostgreSQL's LISTEN

	All Aspect = 1<<iota - 1
)

// Effect is what one statement does to its session: first it ends, then it
// begins.
type Effect struct {
	Ends, Begins Aspect
	// Name is the setting's, if Begins or Ends is Setting; if it is empty, all
	// settings end.
	Name string
}

// Dialect is the language of a database.
type Dialect uint8

// The dialects. Text in one that isn't known has no effects.
const (
	Unknown Dialect = iota
	MySQL           // and MariaDB
	Postgres
	SQLite
)

// DialectOf tells a driver's dialect from the import path of its package, or
// from the name that it is registered with.
func DialectOf(driver string) Dialect {
	d := strings.ToLower(driver)
	for _, known := range []struct {
		name string
		Dialect
	}{{"mysql", MySQL}, {"mariadb", MySQL}, {"pgx", Postgres}, {"postgres", Postgres}, {"lib/pq", Postgres}, {"sqlite", SQLite}} {
		if strings.Contains(d, known.name) {
			return known.Dialect
		}
	}
	return Unknown
}

// Everyday reports whether the text is plain, by three of its letters. It is for
// every query, and has nearly all of them go their way within a nanosecond.
func Everyday(text string) bool {
	return len(text) > 7 && first[text[0]]&third[text[2]]&eighth[text[7]] != 0
}

// The tables have a bit for SELECT, which is everyday if no function is called
// that locks, one for UPDATE, which is not USE, and one for the others.
var first, third, eighth = func() (first, third, eighth [256]uint8) {
	const (
		isSelect = 1 << iota
		isUpdate
		isOther
	)
	for c := range 256 {
		third[c], eighth[c] = isOther, isOther|isUpdate
		if isWord(byte(c)) || c == '*' || c == '?' {
			eighth[c] |= isSelect
		}
	}
	for _, c := range []byte("\x00\x20") { // for upper and lower case
		first['S'|c], third['L'|c] = isSelect, isOther|isSelect
		first['U'|c], third['D'|c] = isUpdate, isOther|isUpdate
		first['I'|c], first['D'|c], first['W'|c] = isOther, isOther, isOther // INSERT, DELETE, WITH
		eighth['P'|c], eighth['G'|c] = isOther|isUpdate, isOther|isUpdate    // pg_advisory_lock, GET_LOCK
	}
	return
}()

// Plain reports whether the text begins nothing, by a look at its first letters.
func Plain(text string) bool {
	i := 0
	for i < len(text) && text[i] <= ' ' {
		i++
	}
	if len(text)-i < len("USE x") {
		return true
	}
	switch text[i] | 0x20 {
	case 'b', 'f', 'l', 'x': // BEGIN, FLUSH, LOCK, LISTEN, XA
		return false
	case 's':
		switch text[i+1] | 0x20 {
		case 't': // START
			return false
		case 'e': // SET or SELECT
			return text[i+2]|0x20 == 'l' && plainSelect(text[i:])
		}
	case 'u':
		return text[i+1]|0x20 != 's' // USE
	case '-', '/', '#':
		return plainAfterComment(text[i:])
	}
	return true
}

// plainSelect looks whether the first that is selected may be a function that
// locks.
func plainSelect(text string) bool {
	i := len("SELECT")
	for i < len(text) && text[i] <= ' ' {
		i++
	}
	if len(text)-i < len("get_lock()") {
		return true
	}
	switch text[i] | 0x20 {
	case 'p':
		return text[i+2] != '_' // pg_advisory_lock
	case 'g':
		return text[i+3] != '_' // GET_LOCK
	}
	return true
}

// plainAfterComment looks behind the comments that the text begins with: tools
// write the name of a query, or of a trace, in front of it.
func plainAfterComment(text string) bool {
	for range 8 {
		var i int
		switch {
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "#"):
			i = strings.IndexByte(text, '\n')
		case strings.HasPrefix(text, "/*"):
			i = strings.Index(text, "*/") + len("/")
		default:
			return text == "" || text[0] == '-' || text[0] == '/' || Plain(text)
		}
		if i <= 0 {
			return true // nothing but a comment
		}
		for i++; i < len(text) && text[i] <= ' '; i++ {
		}
		text = text[i:]
	}
	return false
}
