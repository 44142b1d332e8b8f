package session

import "strings"

// maxText is how much text is read. It takes a few nanoseconds a byte, and there
// are inserts of many megabytes.
const maxText = 1 << 18

// Effects returns what the statements of a text do to their session, in order.
// What has no effect isn't listed.
func Effects(text string, d Dialect) []Effect {
	switch {
	case d == Unknown:
		return nil
	case len(text) > maxText:
		return []Effect{{Ends: All}}
	}
	p := parser{lexer: lexer{rest: text, dialect: d}}
	p.next()
	for p.tok.kind != end {
		if p.tok.kind == ';' {
			p.next()
			continue
		}
		p.ends, p.begun = 0, len(p.out)
		if p.tok.kind != word {
			p.skip() // (SELECT …), mostly
		} else {
			p.statement()
		}
		if p.ends != 0 {
			// What is said in passing comes first: to lock and to unlock in one
			// statement begins nothing.
			p.out = append(p.out[:p.begun], Effect{Ends: p.ends})
		}
	}
	if p.unsure {
		p.out = append(p.out, Effect{Ends: All})
	}
	return p.out
}

// parser reads statements as far as their effects go.
type parser struct {
	lexer
	out   []Effect
	begun int    // of out, before the present statement
	ends  Aspect // by the functions that the statement calls
}

// next also notes the functions that end something, wherever they are called.
func (p *parser) next() {
	p.lexer.next()
	if p.tok.kind != word || len(p.tok.text) <= len("unlock") {
		return
	}
	switch name := strings.ToLower(p.tok.text); {
	case strings.Contains(name, "unlock"), name == "release_lock", name == "release_all_locks":
		p.ends |= Lock | TryLock
	case name == "set_config":
		p.ends |= Setting
	}
}

func (p *parser) is(keyword string) bool {
	return p.tok.kind == word && strings.EqualFold(p.tok.text, keyword)
}

// took moves past the keyword, if it is there.
func (p *parser) took(keyword string) bool {
	if !p.is(keyword) {
		return false
	}
	p.next()
	return true
}

func (p *parser) tookAny(keywords ...string) bool {
	for _, k := range keywords {
		if p.took(k) {
			return true
		}
	}
	return false
}

// over reports whether the statement ends here.
func (p *parser) over() bool { return p.tok.kind == end || p.tok.kind == ';' }

// skip moves to the end of the statement, and reports whether one of the
// keywords was on the way.
func (p *parser) skip(keywords ...string) (found bool) {
	for ; !p.over(); p.next() {
		for _, k := range keywords {
			found = found || p.is(k)
		}
	}
	return found
}

// effect is that of the present statement, if it can be read to its end.
func (p *parser) effect(e Effect) {
	p.skip()
	if !p.unsure {
		p.out = append(p.out, e)
	}
}

func (p *parser) statement() {
	first := strings.ToLower(p.tok.text)
	p.next()
	switch {
	case first == "select":
		p.selects()
	case first == "begin":
		p.begin()
	case first == "start" && p.took("transaction"):
		p.effect(p.began())
	case first == "commit", first == "rollback", first == "end", first == "abort":
		p.ended(first)
	case p.dialect == MySQL && p.mysql(first), p.dialect == Postgres && p.postgres(first):
	case (first == "create" || first == "alter") && p.body():
		p.giveUp() // its statements aren't run, and where they end is another story
	case plainWords[first], p.dialect != MySQL && schemaWords[first]:
		p.skip()
	case p.dialect == MySQL && schemaWords[first]:
		p.effect(Effect{Ends: Tx}) // MySQL commits first
	default:
		p.giveUp()
	}
}

// began is the effect of a statement that begins a transaction. MySQL commits
// the one before, and unlocks tables; others go on with it.
func (p *parser) began() Effect {
	if p.dialect == MySQL {
		return Effect{Ends: Tx | Tables, Begins: Tx}
	}
	return Effect{Begins: Tx}
}

// begin reads what follows BEGIN, which may also begin a block.
func (p *parser) begin() {
	switch p.dialect {
	case Postgres:
		p.tookAny("work", "transaction")
		if p.over() || p.is("isolation") || p.is("read") || p.is("deferrable") || p.took("not") && p.is("deferrable") {
			p.effect(p.began())
			return
		}
	case SQLite:
		p.tookAny("deferred", "immediate", "exclusive", "concurrent")
		if p.took("transaction") && p.tok.kind == word {
			p.next() // a name
		}
	default:
		p.took("work")
	}
	if !p.over() {
		p.giveUp()
		return
	}
	p.effect(p.began())
}

// ended reads what follows COMMIT or ROLLBACK.
func (p *parser) ended(first string) {
	e := Effect{Ends: Tx}
	if first == "rollback" || first == "abort" {
		e.Ends |= Setting | Listen // if they were begun in it
	}
	p.tookAny("work", "transaction")
	switch {
	case p.is("to"), p.is("prepared"): // a savepoint, or another session's
		p.skip()
	case p.took("and") && p.is("chain"): // one transaction is followed by another
		p.effect(Effect{Ends: e.Ends &^ Tx})
	case p.dialect == MySQL && first == "end", p.dialect == MySQL && first == "abort":
		p.giveUp()
	default:
		p.effect(e)
	}
}

// body reports whether what is created consists of statements.
func (p *parser) body() bool {
	if p.dialect == Postgres {
		return p.skip("atomic") // elsewhere they are in quotes
	}
	return p.skip("procedure", "function", "trigger", "event", "package", "begin")
}

// selects reads the first thing that is selected. A lock is sure to be taken
// only where the function is sure to be called, and once.
func (p *parser) selects() {
	p.took("pg_catalog")
	if p.tok.kind == '.' {
		p.next()
	}
	begins := lockFunctions[strings.ToLower(p.tok.text)]
	if begins == 0 || p.tok.kind != word {
		p.skip()
		return
	}
	p.next()
	if p.tok.kind != '(' || p.skip("from", "where", "case", "limit", "having", "union", "except", "intersect", "if", "coalesce") {
		p.skip()
		return
	}
	p.effect(Effect{Begins: begins})
}

var lockFunctions = map[string]Aspect{
	"pg_advisory_lock":            Lock,
	"pg_advisory_lock_shared":     Lock,
	"pg_try_advisory_lock":        TryLock,
	"pg_try_advisory_lock_shared": TryLock,
	"get_lock":                    TryLock,
}

// plainWords begin statements that leave the session as it was. What may run
// code that isn't seen here (CALL, EXECUTE, blocks) is not among them.
var plainWords = set("insert", "update", "delete", "replace", "merge", "upsert", "with", "values", "table",
	"show", "explain", "describe", "desc", "help", "savepoint", "release", "handler", "checksum",
	"copy", "fetch", "move", "declare", "close", "notify", "vacuum", "cluster", "refresh", "reindex", "comment",
	"pragma", "attach", "detach", "lock", "deallocate", "prepare", "import", "security", "kill")

// schemaWords begin statements that end a transaction on MySQL, and run in it
// elsewhere.
var schemaWords = set("create", "alter", "drop", "rename", "truncate", "grant", "revoke", "analyze", "optimize",
	"repair", "check", "cache", "load", "flush", "reset", "install", "uninstall", "change", "start", "stop", "purge")

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
