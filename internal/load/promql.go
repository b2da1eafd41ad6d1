package load

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// queryAnswer is an answer of Prometheus' HTTP API to an instant query.
type queryAnswer struct {
	Data struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
}

// An evaluation is the one number a query came to.
type evaluation struct {
	value    float64
	at       time.Time // when the server evaluated it, by its clock
	partial  string
	received time.Time // by cusme's clock
}

// evaluation returns the number of a scalar, or of the only element of a vector.
func (a queryAnswer) evaluation(q query) (evaluation, error) {
	switch a.Data.ResultType {
	case "scalar":
		return evaluationOf(a.Data.Result, q)
	case "vector":
		return onlyOne(a.Data.Result, q)
	case "matrix":
		return evaluation{}, invalid("%s yields a range of samples, expected one number: aggregate over it, e.g. avg_over_time(…)", q.field)
	case "":
		return evaluation{}, errNoQueryAnswer
	default:
		return evaluation{}, invalid("%s yields a %s, expected one number", q.field, printable(a.Data.ResultType, excerptLimit))
	}
}

func onlyOne(vector json.RawMessage, q query) (evaluation, error) {
	var samples []struct {
		Value     json.RawMessage `json:"value"`
		Histogram json.RawMessage `json:"histogram"`
	}
	if err := json.Unmarshal(vector, &samples); err != nil {
		return evaluation{}, errNoQueryAnswer
	}
	switch {
	case len(samples) == 0:
		return evaluation{}, invalid("%s found nothing%s", q.field, q.hint())
	case len(samples) > 1:
		return evaluation{}, invalid("%s gave %d series, expected one: aggregate, e.g. sum(%s)", q.field, len(samples), printable(q.written, excerptLimit))
	case samples[0].Histogram != nil:
		return evaluation{}, invalid("%s yields a histogram, expected a number: take one out of it, e.g. histogram_quantile(0.9, …)", q.field)
	}
	return evaluationOf(samples[0].Value, q)
}

// hint says what to do about a query that found nothing.
func (q query) hint() string {
	if q.field == "prometheus.query" {
		return "; where nothing means 0, say so: " + printable(q.written, excerptLimit) + " or vector(0)"
	}
	return ", so the age of the value is unknown"
}

// errNoQueryAnswer is the fault of an answer that is JSON of another kind.
var errNoQueryAnswer = invalid("the answer is JSON, but not as Prometheus' HTTP API writes it: check that prometheus.url is its server's, up to but without /api/v1")

// errNoSample is the fault of an answer whose sample cannot be read.
var errNoSample = invalid("the answer holds no sample as Prometheus' HTTP API writes it, [1772366390.5, \"0.83\"]")

// evaluationOf reads a sample, a pair of a time and a number in a string. The
// types of prometheus/common take half a pair for the number 0.
func evaluationOf(pair json.RawMessage, q query) (evaluation, error) {
	var seconds float64
	var text string
	parts := []any{&seconds, &text}
	if err := json.Unmarshal(pair, &parts); err != nil || len(parts) != 2 || seconds <= 0 {
		return evaluation{}, errNoSample
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // beyond a double comes as infinity
		return evaluation{}, errNoSample
	}
	value, err = sound(value, q.field+" yielded")
	return evaluation{value: value, at: fromSeconds(seconds)}, err
}

// moment takes the number for seconds since 1970.
func (v evaluation) moment(q query) (time.Time, error) {
	if v.value == 0 {
		return time.Time{}, invalid("%s yielded 0, as of a time that was never set; expected seconds since 1970", q.field)
	}
	return notAhead(fromSeconds(v.value), v.received, "the time by "+q.field)
}

// lastSecond is the year 10000, when a time cannot be written any more.
const lastSecond = 253402300800

func fromSeconds(s float64) time.Time {
	whole, part := math.Modf(min(s, lastSecond))
	return time.Unix(int64(whole), int64(part*1e9))
}

// doubt says what a server with several stores warns of: then a part may be
// missing. Remarks on the PromQL itself are none; they do not change the number.
func (a queryAnswer) doubt() string {
	for _, w := range a.Warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return "the server warns: " + printable(w, sentenceLimit)
		}
	}
	return ""
}

// metricName is what a selector begins with. Inf and NaN are numbers.
var metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)

// isSelector reports whether PromQL is a plain selector, such as
// queue_length{queue="images"}, whose sample has a time of its own that
// timestamp(…) tells. It is careful: what it does not know is none.
func isSelector(query string) bool {
	query = strings.TrimSpace(query)
	name := metricName.FindString(query)
	matchers := strings.TrimSpace(query[len(name):])
	if matchers == "" {
		return name != "" && !strings.EqualFold(name, "inf") && !strings.EqualFold(name, "nan")
	}
	return endOfBraces(matchers) == len(matchers)
}

// endOfBraces returns the length of the braces that text begins with; 0 if it
// begins with something else, or they do not close.
func endOfBraces(text string) int {
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case i == 0 && c != '{':
			return 0
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '}':
			return i + 1
		case c == '#' || c == '{' && i > 0:
			return 0
		}
	}
	return 0
}
