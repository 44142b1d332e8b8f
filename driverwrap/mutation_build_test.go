package driverwrap_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutantVariable chooses the defect that a test binary has, by its number in
// the table, from 1 on; with 0 it has none.
const mutantVariable = "DRIVERWRAP_MUTANT"

// chooserFile is added to the package where several defects are built into one
// binary.
const chooserFile = `package driverwrap

import (
	"os"
	"strconv"
)

var mutantNumber, _ = strconv.Atoi(os.Getenv("` + mutantVariable + `"))
`

// builder compiles the package's tests with defects in it.
type builder struct {
	dir string // of the package
	tmp string
}

// all compiles one binary that has every defect, to be chosen by the
// environment: each is a block at the head of the function that it changes, so
// that no function has another caller than before. What changes more than
// functions' bodies is left over.
func (b *builder) all(t *testing.T, mutations []mutation) (binary string, left map[int]bool) {
	files := make(map[string]*source)
	left = make(map[int]bool)
	for i, m := range mutations {
		src := files[m.file]
		if src == nil {
			src = parse(t, b.read(t, m.file))
			files[m.file] = src
		}
		if !src.add(i+1, m.name, parse(t, m.apply(t, src.text))) {
			left[i+1] = true
		}
	}
	replace := map[string]string{"mutant_chooser.go": chooserFile}
	for name, src := range files {
		replace[name] = src.withMutants()
	}
	return b.compile(t, "all", replace), left
}

// one compiles a binary with one defect.
func (b *builder) one(t *testing.T, number int, m mutation) (binary string) {
	text := m.apply(t, b.read(t, m.file))
	return b.compile(t, fmt.Sprint(number), map[string]string{m.file: text})
}

func (b *builder) read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// apply returns the text with the defect.
func (m mutation) apply(t *testing.T, text string) string {
	t.Helper()
	if n := strings.Count(text, m.old); n != 1 {
		t.Fatalf("%s: %s has the text %d times, want once:\n%s", m.name, m.file, n, m.old)
	}
	return strings.Replace(text, m.old, m.new, 1)
}

// compile compiles the tests with files replaced by other text, by way of the
// go command's overlay.
func (b *builder) compile(t *testing.T, name string, replace map[string]string) (binary string) {
	t.Helper()
	tmp := filepath.Join(b.tmp, name)
	overlay, binary := filepath.Join(tmp, "overlay.json"), filepath.Join(tmp, "test.exe")
	paths := make(map[string]string)
	content := make(map[string]string)
	for file, text := range replace {
		mutant := filepath.Join(tmp, file)
		paths[filepath.Join(b.dir, file)] = mutant
		content[mutant] = text
	}
	list, err := json.Marshal(map[string]any{"Replace": paths})
	if err != nil {
		t.Fatal(err)
	}
	content[overlay] = string(list)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range content {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay="+overlay, "-ldflags=-s -w", "-o", binary, ".")
	cmd.Dir = b.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s doesn't compile: %v\n%s", name, err, out)
	}
	return binary
}

// source is a file of the package, taken apart.
type source struct {
	text  string
	funcs map[string]function // by what is before the body
	rest  map[string]bool     // the other declarations

	blocks map[string]string // to go to the head of functions' bodies
	added  string            // to go to the end
}

// function is where a function's body is, without the braces.
type function struct{ from, to int }

func parse(t *testing.T, text string) *source {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s := &source{text: text, funcs: make(map[string]function), rest: make(map[string]bool), blocks: make(map[string]string)}
	at := func(p token.Pos) int { return fset.Position(p).Offset }
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			s.rest[text[at(d.Pos()):at(d.End())]] = true
			continue
		}
		s.funcs[text[at(fn.Pos()):at(fn.Body.Lbrace)]] = function{at(fn.Body.Lbrace) + 1, at(fn.Body.Rbrace)}
	}
	return s
}

func (s *source) body(head string) string {
	f := s.funcs[head]
	return s.text[f.from:f.to]
}

// add adds the changes of a mutant, if that only has other functions' bodies
// or more declarations. Of what doesn't compile, the compiler tells the name.
func (s *source) add(number int, name string, mutant *source) bool {
	for head := range s.funcs {
		if _, ok := mutant.funcs[head]; !ok {
			return false
		}
	}
	for decl := range s.rest {
		if !mutant.rest[decl] {
			return false
		}
	}
	for decl := range mutant.rest {
		if !s.rest[decl] {
			s.added += line(name) + decl + "\n"
		}
	}
	for head := range mutant.funcs {
		_, ok := s.funcs[head]
		switch body := mutant.body(head); {
		case !ok:
			s.added += line(name) + head + "{" + body + "}\n"
		case body != s.body(head):
			end := ""
			if noResult(head) {
				end = "return\n" // else the body has its own
			}
			s.blocks[head] += fmt.Sprintf("%sif mutantNumber == %d {%s%s}\n", line(name), number, body, end)
		}
	}
	return true
}

// line tells the compiler where the next line is from.
func line(name string) string { return "\n//line " + name + ":1\n" }

// noResult reports whether a function that is declared so returns nothing.
func noResult(head string) bool {
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+head+"{}", parser.SkipObjectResolution)
	return err == nil && f.Decls[0].(*ast.FuncDecl).Type.Results == nil
}

// withMutants is the file with all that was added to it.
func (s *source) withMutants() string {
	text := s.text
	for head, blocks := range s.blocks {
		// From the head on, whatever is in front of it by now.
		i := strings.Index(text, head+"{") + len(head) + 1
		text = text[:i] + blocks + text[i:]
	}
	return text + s.added
}
