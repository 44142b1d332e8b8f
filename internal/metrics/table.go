package metrics

import (
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
)

// table is a family in which samples with the same labels become one.
type table struct {
	openmetrics.Family
	index map[string]int
}

func newTable(name string, labels []string, help string) *table {
	return &table{Family: openmetrics.Family{Name: name, Labels: labels, Help: help}, index: make(map[string]int)}
}

// sample is the one with these labels.
func (t *table) sample(values []string) *openmetrics.Sample {
	key := strings.Join(values, "\x00") // labels are free of it
	i, ok := t.index[key]
	if !ok {
		i = len(t.Samples)
		t.index[key] = i
		t.Samples = append(t.Samples, openmetrics.Sample{Values: values})
	}
	return &t.Samples[i]
}

// add adds to the number with these labels.
func (t *table) add(n float64, values ...string) {
	s := t.sample(values)
	s.Number += n
}

// most keeps the greatest of the numbers with these labels.
func (t *table) most(n float64, values ...string) {
	s := t.sample(values)
	s.Number = max(s.Number, n)
}
