package session

import "strings"

// mysql reads statements that are MySQL's own. It returns false, and is where it
// was, if the first word begins none.
func (p *parser) mysql(first string) bool {
	switch first {
	case "xa":
		p.xa()
	case "lock":
		if !p.tookAny("table", "tables") {
			return false
		}
		p.effect(Effect{Ends: Tx, Begins: Tables})
	case "unlock":
		p.effect(Effect{Ends: Tx | Tables})
	case "flush":
		e := Effect{Ends: Tx}
		if p.skip("lock") { // FLUSH TABLES WITH READ LOCK
			e.Begins = Tables
		}
		p.effect(e)
	case "use":
		p.effect(Effect{Begins: Setting, Name: "use"})
	case "set":
		p.mysqlSet()
	case "do":
		p.skip() // it calls functions
	default:
		return false
	}
	return true
}

// xa reads statements about distributed transactions. What is prepared belongs
// to no session.
func (p *parser) xa() {
	switch {
	case p.tookAny("start", "begin"):
		p.effect(Effect{Begins: Tx})
	case p.tookAny("end", "recover"):
		p.skip()
	default:
		p.effect(Effect{Ends: Tx})
	}
}

// mysqlSet reads SET, which may have several assignments.
func (p *parser) mysqlSet() {
	switch {
	case p.is("statement"), p.is("password"): // runs another; commits
		p.giveUp()
		return
	case p.is("transaction"), p.is("default"), p.is("resource"):
		p.skip()
		return
	}
	from := len(p.out)
	for {
		p.assignment()
		if p.tok.kind != ',' {
			break
		}
		p.next()
	}
	if p.skip(); p.unsure {
		p.out = p.out[:from]
	}
}

// assignment reads one assignment of a SET, up to a comma or the end.
func (p *parser) assignment() {
	at := 0
	for ; p.tok.kind == '@'; p.next() {
		at++
	}
	scope := ""
	for _, s := range []string{"global", "persist", "persist_only", "session", "local"} {
		if at != 1 && p.took(s) {
			scope = s
		}
	}
	if p.tok.kind == '.' {
		p.next()
	}
	name := strings.Trim(strings.ToLower(p.tok.text), "`")
	if p.tok.kind != end {
		p.next()
	}
	switch name {
	case "character", "charset":
		name = "names"
	}
	for p.tok.kind == ':' || p.tok.kind == '=' {
		p.next()
	}
	value := p.tok
	alone := p.value()
	switch {
	case at == 1, scope == "global", scope == "persist", scope == "persist_only":
	case name == "autocommit":
		p.out = append(p.out, autocommit(value, alone))
	default:
		p.out = append(p.out, setting(name, value, alone))
	}
}

// value skips to the comma behind a value, and reports whether it is one token.
func (p *parser) value() (alone bool) {
	depth, n := 0, 0
	for ; !p.over() && (depth > 0 || p.tok.kind != ','); p.next() {
		n++
		switch p.tok.kind {
		case '(':
			depth++
		case ')':
			depth--
		}
	}
	return n == 1
}

// autocommit is the effect of setting it: what it is set to may not be known.
func autocommit(value token, alone bool) Effect {
	switch v := strings.ToLower(value.text); {
	case alone && (v == "0" || v == "off" || v == "false"):
		return Effect{Begins: Autocommit}
	case alone && (v == "1" || v == "on" || v == "true" || v == "default"):
		return Effect{Ends: Tx | Autocommit} // what is pending is committed
	}
	return Effect{Ends: Tx | Autocommit}
}

// setting is the effect of setting something else.
func setting(name string, value token, alone bool) Effect {
	if alone && value.kind == word && (strings.EqualFold(value.text, "default") || strings.EqualFold(value.text, "none")) {
		return Effect{Ends: Setting, Name: name}
	}
	return Effect{Begins: Setting, Name: name}
}
