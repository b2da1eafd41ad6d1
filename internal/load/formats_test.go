package load

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// TestFormats wants one expression to find its number in every format, or a
// sentence that says what is wrong and repeats nothing of the answer.
func TestFormats(t *testing.T) {
	const xmlText, yamlText, metrics = v1alpha1.XML, v1alpha1.YAML, v1alpha1.Prometheus
	for name, c := range map[string]struct {
		format      v1alpha1.Format
		body, value string
		want        float64
		says        string // empty: a good value
	}{
		"a plain number is JSON":  {"", "0.83\n", "body", 0.83, ""},
		"JSON after a mark":       {"", "\uFEFF{\"load\": 2}", "body.load", 2, ""},
		"a page for JSON":         {"", "\n<!DOCTYPE html><html>hush</html>", "body.load", 0, "the answer is an HTML page, such as that of a login or a proxy; expected JSON: check the URL"},
		"another page for JSON":   {"", "<HTML lang=zh>hush", "body.load", 0, "is an HTML page"},
		"a page for YAML":         {yamlText, "<html>hush</html>", "body.load", 0, "is an HTML page"},
		"a page for XML":          {xmlText, "<html><body>1</body></html>", "body.html.body", 0, "is an HTML page"},
		"a page for Prometheus":   {metrics, "<html>hush</html>", "1", 0, "expected Prometheus text"},
		"a page for Text is text": {v1alpha1.Text, "<html>Load: 7</html>", `double(body.split("Load: ")[1].split("<")[0])`, 7, ""},

		"text":                {v1alpha1.Text, " 0.83 \n", "double(body)", 0.83, ""},
		"text is no number":   {v1alpha1.Text, "0.83", "body", 0, "yielded a string, expected a number: wrap it, double(body)"},
		"text with a percent": {v1alpha1.Text, "load: 95%", `double(body.replace("load: ", "").replace("%", "")) / 100.0`, 0.95, ""},
		"text that is NaN":    {v1alpha1.Text, "NaN", "double(body)", 0, "NaN"},
		"text that is empty":  {v1alpha1.Text, "", "double(body)", 0, "double"},
		"text that is broken": {v1alpha1.Text, "7\xff", "double(body)", 0, "double"},

		"XML":                      {xmlText, `<?xml version="1.0" encoding="UTF-8"?><status><load>0.83</load></status>`, "body.status.load", 0.83, ""},
		"an XML root alone":        {xmlText, `<load> 3 </load><!-- end -->`, "body.load", 3, ""},
		"an XML attribute":         {xmlText, `<status load="4"/>`, `body.status["-load"]`, 4, ""},
		"XML text by an attribute": {xmlText, `<load unit="s">5</load>`, `body.load["#text"]`, 5, ""},
		"an XML list":              {xmlText, `<q><n>1</n><n>2</n><n>4</n></q>`, "body.q.n.sum()", 7, ""},
		"XML text in pieces":       {xmlText, `<load>0.<!-- hush -->8<![CDATA[3]]></load>`, "body.load", 0.83, ""},
		"an XML namespace":         {xmlText, `<s:status xmlns:s="http://s"><s:load>6</s:load></s:status>`, "body.status.load", 6, ""},
		"an XML number too large":  {xmlText, `<load>1e400</load>`, "body.load", 0, "without bounds"},
		"an XML word":              {xmlText, `<load>Infinity</load>`, "body.load", 0, "yielded a string"},
		"an XML number in hex":     {xmlText, `<load>0x1p4</load>`, "body.load", 0, "yielded a string"},
		"an empty XML element":     {xmlText, `<load/>`, "body.load", 0, "yielded a string"},
		"a missing XML element":    {xmlText, `<status/>`, "body.status.load", 0, "no such"},
		"no XML":                   {xmlText, ` `, "body.load", 0, "the answer is empty; expected XML"},
		"JSON for XML":             {xmlText, `{"hush": 1}`, "body.load", 0, "not XML: it has text outside of any element"},
		"half of XML":              {xmlText, `<load>0.`, "body.load", 0, "not XML: line 1"},
		"two XML documents":        {xmlText, `<load>1</load><load>2</load>`, "body.load", 0, "goes on after its XML ends"},
		"an XML tag left open":     {xmlText, "<a>\n<hush></a>", "body.a", 0, "not XML: line 2 cannot be read"},
		"XML in another encoding":  {xmlText, `<?xml version="1.0" encoding="GBK"?><load>1</load>`, "body.load", 0, "not XML in UTF-8"},
		"an XML entity bomb":       {xmlText, `<!DOCTYPE l [<!ENTITY a "hush"><!ENTITY b "&a;&a;">]><load>&b;</load>`, "body.load", 0, "not XML: line 1"},
		"XML nested beyond reason": {xmlText, strings.Repeat("<a>", 1<<18), "body.a", 0, "nested deeper than 100 levels"},
		"XML entities of its own":  {xmlText, `<a t="&lt;1">2</a>`, `body.a["-t"] == "<1" ? 1 : 0`, 1, ""},
		"an XML element of a list": {xmlText, `<p><g id="0"><u>10</u></g><g id="1"><u>30</u></g></p>`, "body.p.g.map(g, g.u).avg()", 20, ""},

		"YAML":                        {yamlText, "data:\n  load: 0.83\n", "body.data.load", 0.83, ""},
		"JSON is YAML":                {yamlText, `{"load": 2}`, "body.load", 2, ""},
		"a YAML list":                 {yamlText, "- 1\n- 2\n", "body.sum()", 3, ""},
		"YAML of a whole number":      {yamlText, "a: 3\nb: 4", "body.a / body.b", 0.75, ""},
		"no YAML":                     {yamlText, "", "body.load", 0, "the answer is empty; expected YAML"},
		"YAML that is broken":         {yamlText, "a: 1\nhush: [\n", "body.a", 0, "the answer is not YAML: line"},
		"a YAML key that comes twice": {yamlText, "hush: 1\nhush: 2\n", "body.hush", 0, "the answer is not YAML: line 2"},
		"YAML's infinity":             {yamlText, "load: .inf", "body.load", 0, "not YAML that could be JSON"},
		"two YAML documents":          {yamlText, "load: 1\n---\nload: 2\n", "body.load", 0, "goes on after its YAML ends"},
		"a YAML alias":                {yamlText, "a: &a [1]\nb: *a\n", "body.b[0]", 0, "has an alias in line 2"},
		"YAML nested beyond reason":   {yamlText, strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "1", 0, "nested deeper than 100 levels"},

		"a metric":             {metrics, "# TYPE q gauge\nq 7\n", "body.q[0].value", 7, ""},
		"metrics by a label":   {metrics, "u{gpu=\"0\"} 1\nu{gpu=\"1\"} 3\n", `body.u.filter(s, s.labels.gpu == "1")[0].value`, 3, ""},
		"metrics on average":   {metrics, "u{gpu=\"0\"} 1\nu{gpu=\"1\"} 3\n", "body.u.map(s, s.value).avg()", 2, ""},
		"metrics of a time":    {metrics, "u 4 1772366390000\n", "body.u[0].value", 4, ""},
		"a histogram":          {metrics, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 5\nh_count 2\n", `body.h_sum[0].value / body.h_count[0].value + body.h_bucket[0].value`, 4.5, ""},
		"a metric in colons":   {metrics, "vllm:waiting 4\n", `body["vllm:waiting"][0].value`, 4, ""},
		"a NaN among metrics":  {metrics, "a 1\nb NaN\n", "body.a[0].value", 1, ""},
		"a metric that is NaN": {metrics, "b NaN\n", "body.b[0].value", 0, "NaN"},
		"a metric not there":   {metrics, "a 1\n", "body.b[0].value", 0, "no such key: b"},
		"no metrics":           {metrics, "", "body.b[0].value", 0, "no such key: b"},
		"JSON for metrics":     {metrics, `{"hush": 0}`, "body.a", 0, "not Prometheus text: line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := compile("loads[backend].", "http.value", c.value, aNumber)
			if err != nil {
				t.Fatal(err)
			}
			d := understand(answer{body: []byte(c.body), format: c.format, received: noon, at: noon}, nil)
			got, _, err := measure{value: e}.judge(d)
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			checkFault(t, err, c.says)
		})
	}
}

// TestBombs wants answers within the limit that would grow to gigabytes refused
// in little memory and at once.
func TestBombs(t *testing.T) {
	scalar := strings.Repeat("x", bodyLimit/2)
	for name, c := range map[string]struct {
		format v1alpha1.Format
		body   string
		mib    uint64
	}{
		"aliases of a list":     {v1alpha1.YAML, "a: &a [x,x,x,x,x,x,x,x,x]\n" + nestedAliases(), 16},
		"aliases of a long one": {v1alpha1.YAML, "a: &a " + scalar + "\nb: [" + strings.Repeat("*a,", bodyLimit/8) + "]\n", 256},
		"elements":              {v1alpha1.XML, "<a>" + strings.Repeat("<b><c/></b>", bodyLimit/12) + "</a>", 256},
		"attributes":            {v1alpha1.XML, "<a " + strings.Repeat("b='' ", bodyLimit/6) + "/>", 256},
		"samples":               {v1alpha1.Prometheus, strings.Repeat("a 1\n", bodyLimit/4), 512},
		"lists in lists":        {"", strings.Repeat("[", 9999) + strings.Repeat("]", 9999), 64},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			understand(answer{body: []byte(c.body), format: c.format, received: noon, at: noon}, nil)
			runtime.ReadMemStats(&after)
			mib := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d KiB became %d MiB", len(c.body)>>10, mib)
			if mib > c.mib {
				t.Errorf("allocated %d MiB, expected at most %d", mib, c.mib)
			}
		})
	}
}

// nestedAliases are nine levels of nine aliases each: 9⁹ values.
func nestedAliases() string {
	var b strings.Builder
	for level := 'b'; level < 'k'; level++ {
		alias := fmt.Sprintf("*%c,", level-1)
		fmt.Fprintf(&b, "%c: &%c [%s]\n", level, level, strings.Repeat(alias, 9))
	}
	return b.String()
}

// TestLists wants sums and averages of numbers only, within the limit of an
// evaluation's cost.
func TestLists(t *testing.T) {
	long := `{"l": [` + strings.Repeat("1,", 19_999) + `1]}`
	for _, c := range []struct {
		value, body string
		want        float64
		says        string
	}{
		{`body.l.sum()`, `{"l": [1, 2.5]}`, 3.5, ""},
		{`body.l.avg()`, `{"l": [1, 2]}`, 1.5, ""},
		{`body.l.sum()`, `{"l": []}`, 0, ""},
		{`[1, 2u, 3.5].sum()`, `{}`, 6.5, ""},
		{`math.greatest([body.l.sum(), 9.0])`, `{"l": [1, 2]}`, 9, ""},
		{`body.l.filter(q, q.ready).map(q, q.n).avg()`, `{"l": [{"ready": true, "n": 4}, {"ready": false, "n": 90}]}`, 4, ""},
		{`body.l.sum()`, long, 20_000, ""},
		{`body.l.avg()`, `{"l": []}`, 0, "an empty list has no average"},
		{`body.l.sum()`, `{"l": [1, "hush"]}`, 0, "the list holds a string, expected numbers only"},
		{`body.l.avg()`, `{"l": [null]}`, 0, "the list holds null"},
		{`body.l.sum()`, `{"l": {"a": 1}}`, 0, "no such overload"},
		{`body.l.sum()`, `{"l": 1}`, 0, "no such overload"},
		{`body.m.sum()`, `{"l": [1]}`, 0, "no such key: m"},
		{`body.l.sum()`, `{"l": [1, 1e400]}`, 0, "without bounds"},
		{`body.l.map(a, body.l.sum()).sum()`, long, 0, "cost limit exceeded"},
	} {
		t.Run(c.value, func(t *testing.T) {
			e, err := compile("loads[backend].", "http.value", c.value, aNumber)
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			got, err := e.number(documentOf(t, c.body))
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			checkFault(t, err, c.says)
			t.Logf("took %s", time.Since(begun))
		})
	}
}

// TestTexts wants texts within bounds, whatever an expression makes of them.
func TestTexts(t *testing.T) {
	long := `{"s": "` + strings.Repeat("a", 1<<19) + `", "l": [` + strings.Repeat("1,", 999) + `1]}`
	for _, c := range []struct {
		value, body string
		want        float64
		says        string
	}{
		{`double(body.s.replace("a", "", 1).replace("b", "7"))`, `{"s": "ab"}`, 7, ""},
		{`double(body.s.replace("a", "1", -1))`, `{"s": "aa"}`, 11, ""},
		{`double(body.s.replace("a", "1", 0))`, `{"s": "a"}`, 0, "double"},
		{`size(body.s.replace("", "x"))`, `{"s": "ab"}`, 5, ""},
		{`double(body.s.split("=")[1].trim().lowerAscii().substring(0, 3))`, `{"s": "load = 1.5s"}`, 1.5, ""},
		{`size(body.s.replace("a", "aa"))`, long, 1 << 20, ""},
		{`size(body.s.replace("a", "aaa"))`, long, 0, "replace would make a text of more than 1024 KiB"},
		{`size(body.s.replace("a", body.s))`, long, 0, "replace would make a text of more than 1024 KiB"},
		{`size(body.s.replace("a", "b", body.s))`, `{"s": "a"}`, 0, "no such overload"},
		{`body.l.map(x, body.s.lowerAscii()).size()`, long, 0, "cost limit exceeded"},
		{`body.l.map(x, body.s.split("").size()).sum()`, long, 0, "cost limit exceeded"},
		{`body.l.map(x, body.s.indexOf("b")).sum()`, long, 0, "cost limit exceeded"},
	} {
		t.Run(c.value, func(t *testing.T) {
			e, err := compile("loads[backend].", "http.value", c.value, aNumber)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.number(documentOf(t, c.body))
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			checkFault(t, err, c.says)
		})
	}
	for _, unbounded := range []string{`["a"].join(body)`, `"%s%s".format([body, body])`, `@replace(body, "a", "b")`} {
		if _, err := compile("loads[backend].", "http.value", "size("+unbounded+")", aNumber); err == nil {
			t.Errorf("%s is understood", unbounded)
		}
	}
}
