package session

import "strings"

// postgres reads statements that are PostgreSQL's own. It returns false, and is
// where it was, if the first word begins none.
func (p *parser) postgres(first string) bool {
	switch first {
	case "prepare":
		if !p.took("transaction") {
			return false
		}
		p.effect(Effect{Ends: Tx})
	case "listen":
		p.effect(Effect{Begins: Listen})
	case "unlisten":
		p.effect(Effect{Ends: Listen})
	case "discard":
		if !p.is("all") {
			p.skip()
			return true
		}
		p.effect(Effect{Ends: All})
	case "reset":
		name := strings.ToLower(p.settingName())
		if name == "all" {
			name = ""
		}
		p.effect(Effect{Ends: Setting, Name: name})
	case "set":
		p.postgresSet()
	case "do", "call", "execute":
		p.effect(Effect{Ends: All &^ Tx}) // which these can't end, inside of it
	default:
		return false
	}
	return true
}

func (p *parser) postgresSet() {
	if p.is("local") || p.is("transaction") || p.is("constraints") {
		p.skip() // until the transaction ends
		return
	}
	name := strings.ToLower(p.settingName())
	if p.tok.kind == '=' {
		p.next()
	} else {
		p.tookAny("to", "as")
	}
	value := p.tok
	p.next()
	p.effect(setting(name, value, p.over()))
}

// settingName reads a name that may have a dot, or be two words.
func (p *parser) settingName() string {
	p.took("session")
	name := p.tok.text
	p.next()
	switch {
	case p.tok.kind == '.':
		p.next()
		name += "." + p.tok.text
		p.next()
	case strings.EqualFold(name, "time"): // zone
		p.took("zone")
		return "timezone"
	case strings.EqualFold(name, "schema"):
		return "search_path"
	case strings.EqualFold(name, "names"):
		return "client_encoding"
	}
	return name
}
