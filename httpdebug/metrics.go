package httpdebug

import (
	"bytes"
	"net/http"

	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
)

func (h *handler) serveMetrics(v *visit) error {
	v.w.Header().Set("Vary", "Accept")
	f, err := v.filter()
	if err != nil {
		return err
	}
	if len(f.Values()) > 0 {
		return failf(http.StatusBadRequest,
			"metrics take no filter: a counter that leaves out something is wrong; choose by their labels in the query")
	}
	format := openmetrics.Negotiate(accepts(v.r))
	var b bytes.Buffer
	openmetrics.Write(&b, format, h.metrics.Families(h.snapshot, h.process))
	v.write(http.StatusOK, format.ContentType(), b.Bytes())
	return nil
}
