// Package openmetrics writes metrics in the two text formats that Prometheus
// and its kin read: its own, version 0.0.4, and OpenMetrics 1.0.
//
// It is here because the packages that do it elsewhere bring a registry, a
// process collector and protocol buffers into the program of everybody who
// imports package httpdebug.
package openmetrics

import (
	"bytes"
	"mime"
	"strconv"
	"strings"
)

// Type says what the numbers of a family mean.
type Type uint8

// The types of families.
const (
	Gauge   Type = iota
	Counter      // only goes up
	Info         // is 1, and its labels tell something
	// Unknown is for a gauge whose name ends in "_count", which the formats
	// keep for histograms.
	Unknown
)

// suffix is what the names of the type's samples have behind the family's.
func (t Type) suffix() string { return [...]string{"", "_total", "_info", ""}[t] }

func (t Type) name(f Format) string {
	if f == Text {
		return [...]string{"gauge", "counter", "gauge", "untyped"}[t]
	}
	return [...]string{"gauge", "counter", "info", "unknown"}[t]
}

// Family is a metric with all of its samples, which have the same labels.
type Family struct {
	// Name is without the suffix of the type: "_total" or "_info".
	Name string
	Type Type
	// Unit is what Name ends in, or empty.
	Unit    string
	Help    string
	Labels  []string // their names
	Samples []Sample
}

// Sample is one number. Values are those of the family's labels, in their
// order; no two samples of a family have the same.
type Sample struct {
	Values []string
	Number float64
}

// Format is one of the text formats.
type Format uint8

// The formats.
const (
	Text        Format = iota // version 0.0.4
	OpenMetrics               // version 1.0.0
)

const openMetricsType = "application/openmetrics-text"

// ContentType is the format's media type.
func (f Format) ContentType() string {
	if f == OpenMetrics {
		return openMetricsType + "; version=1.0.0; charset=utf-8"
	}
	return "text/plain; version=0.0.4; charset=utf-8"
}

// Negotiate chooses the format by an Accept header. It is OpenMetrics only if
// that is asked for by name, in a version that this is, and nothing says that
// text is preferred.
func Negotiate(accept string) Format {
	var weight [2]float64
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		switch version := params["version"]; {
		case name == openMetricsType && (version == "" || version == "1.0.0"):
			weight[OpenMetrics] = max(weight[OpenMetrics], q)
		case name == "text/plain":
			weight[Text] = max(weight[Text], q)
		}
	}
	if weight[OpenMetrics] > 0 && weight[OpenMetrics] >= weight[Text] {
		return OpenMetrics
	}
	return Text
}

// Write writes the families that have samples. Bytes in labels that are not
// UTF-8, which the formats don't know, become replacement characters.
func Write(b *bytes.Buffer, format Format, families []Family) {
	for i := range families {
		if f := &families[i]; len(f.Samples) > 0 {
			f.write(b, format)
		}
	}
	if format == OpenMetrics {
		b.WriteString("# EOF\n")
	}
}

func (f *Family) write(b *bytes.Buffer, format Format) {
	sample, escape := f.Name+f.Type.suffix(), escapeText
	// OpenMetrics describes the family, the older format what it sees.
	family := sample
	if format == OpenMetrics {
		family, escape = f.Name, escapeLabel
	}
	b.WriteString("# HELP " + family + " " + escape.Replace(f.Help) + "\n")
	b.WriteString("# TYPE " + family + " " + f.Type.name(format) + "\n")
	if format == OpenMetrics && f.Unit != "" {
		b.WriteString("# UNIT " + family + " " + f.Unit + "\n")
	}
	for _, s := range f.Samples {
		b.WriteString(sample)
		writeLabels(b, f.Labels, s.Values)
		b.WriteString(" " + strconv.FormatFloat(s.Number, 'g', -1, 64) + "\n")
	}
}

func writeLabels(b *bytes.Buffer, names, values []string) {
	if len(names) == 0 {
		return
	}
	before := byte('{')
	for i, name := range names {
		b.WriteByte(before)
		before = ','
		b.WriteString(name + `="` + escapeLabel.Replace(strings.ToValidUTF8(values[i], "\uFFFD")) + `"`)
	}
	b.WriteByte('}')
}

var (
	escapeText  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)
