package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"time"
)

// Measures of the picture, in pixels.
const (
	svgWidth       = 960
	svgMargin      = 20
	svgHead        = 70
	svgPanel       = 104 // one fault with its title and the space below
	svgChart       = 56  // the height of its bars
	pixelsASecond  = 120 // unless a timeline is too long for the width
	svgNodeColors  = 8
	svgPanelsBegin = svgHead + 10
)

const svgStyle = `
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .head { font-size: 20px; font-weight: 600 }
  .note, .axis { fill: #777 }
  .axis { font-size: 10px }
  .fault { fill: #e5484d; opacity: .2 }
  .moment { fill: #e5484d; opacity: .7 }
  .failed { fill: #e5484d }
  .broken { fill: #e5484d; font-weight: 600 }
  .line { stroke: #bbb }
  .n0 { fill: #4269d0 } .n1 { fill: #efb118 } .n2 { fill: #3ca951 } .n3 { fill: #6cc5b0 }
  .n4 { fill: #a463f2 } .n5 { fill: #ff8ab7 } .n6 { fill: #9c6b4e } .n7 { fill: #97bbf5 }
  .paper { fill: #fff }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #16181c }
    text { fill: #ddd }
    .note, .axis { fill: #999 }
    .line { stroke: #555 }
  }
`

// writeSVG writes one picture of all results, which needs no other file: for each fault the answers of each tenth of a second, a color for each
// node.
func writeSVG(name string, results []*result) error {
	var b bytes.Buffer
	height := svgPanelsBegin + len(results)*svgPanel + svgMargin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">`, svgWidth, height)
	fmt.Fprintf(&b, "\n<title>Answers while Astra changes</title>\n<style>%s</style>\n", svgStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", svgWidth, height)
	fmt.Fprintf(&b, `<text class="head" x="%d" y="32">Answers while Astra changes</text>`+"\n", svgMargin)
	fmt.Fprintf(&b, `<text class="note" x="%d" y="54">Answers in each tenth of a second, a color for each node. Red: from the beginning to the end of the fault; `+
		`and below the line, where reads failed.</text>`+"\n", svgMargin)
	for i, r := range results {
		drawPanel(&b, r, svgPanelsBegin+i*svgPanel)
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(name, b.Bytes(), 0o644)
}

func drawPanel(b *bytes.Buffer, r *result, top int) {
	t := newTimeline()
	t.add(r.answers)
	total := r.answers[len(r.answers)-1].ended
	columns := int(total/tick) + 1
	second := min(pixelsASecond, (svgWidth-2*svgMargin)/total.Seconds())
	x := func(d time.Duration) float64 { return d.Seconds() * second }
	base := float64(20 + svgChart)

	fmt.Fprintf(b, `<g transform="translate(%d %d)">`, svgMargin, top)
	fmt.Fprintf(b, "<title>%s</title>", html.EscapeString(r.fault.title))
	fmt.Fprintf(b, `<text y="10">%s <tspan class="note" dx="8">%s</tspan>`, html.EscapeString(r.fault.title), html.EscapeString(r.svgNote()))
	if len(r.broken) > 0 {
		b.WriteString(`<tspan class="broken" dx="8">broken</tspan>`)
	}
	b.WriteString("</text>\n")
	from, to, class := r.begun, r.ended, "fault"
	if r.fault.early {
		from = 0
	}
	if to-from < tick {
		class = "moment"
	}
	fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="18" width="%.1f" height="%.0f"/>`, class, x(from), max(2, x(to-from)), base-18+6)

	most := 1
	for i := range columns {
		sum := 0
		for _, id := range t.nodes {
			sum += at(t.counts[id], i)
		}
		most = max(most, sum)
	}
	width := x(tick)
	for k, id := range t.nodes {
		fmt.Fprintf(b, `<path class="n%d" d="`, k%svgNodeColors)
		for i := range columns {
			n := at(t.counts[id], i)
			if n == 0 {
				continue
			}
			below := 0
			for _, other := range t.nodes[:k] {
				below += at(t.counts[other], i)
			}
			scale := float64(svgChart) / float64(most)
			fmt.Fprintf(b, "M%.1f %.1fh%.1fv-%.1fh-%.1fz", float64(i)*width, base-float64(below)*scale, width*0.9, float64(n)*scale, width*0.9)
		}
		b.WriteString(`"/>`)
	}
	for i := range columns {
		if at(t.failed, i) > 0 {
			fmt.Fprintf(b, `<rect class="failed" x="%.1f" y="%.0f" width="%.1f" height="5"/>`, float64(i)*width, base+1, width*0.9)
		}
	}
	fmt.Fprintf(b, `<path class="line" d="M0 %.1fH%.1f"/>`, base+0.5, x(total))
	step := time.Second
	for x(step) < 40 {
		step *= 5
	}
	for at := time.Duration(0); at <= total; at += step {
		fmt.Fprintf(b, `<text class="axis" x="%.1f" y="%.0f">%.0f s</text>`, x(at), base+17, at.Seconds())
	}
	b.WriteString("</g>\n")
}

// svgNote is what a program noticed, as far as there is room.
func (r *result) svgNote() string {
	if r.fault.early {
		return fmt.Sprintf("%d failed, first row after %s", r.failedReads, show(r.firstRow))
	}
	return fmt.Sprintf("%d failed, slowest %s, back after %s", r.failedReads, show(r.slowest), show(r.back))
}
