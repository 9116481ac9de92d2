# SPDX-License-Identifier: GPL-2.0-or-later
# One chart from one table of bench-charts.jq, by gnuplot -e 'NAME="VALUE"; ...':
# kind (bars, stacked or lines), data, out, heading, label, columns, and for
# lines: across (what x is), scale ("", "y" for a logarithmic y, "free" for one
# that does not start at 0).
set terminal svg size 820,400 font "sans-serif,13" background "#ffffff"
set output out
set datafile separator "\t"
set datafile missing "-"
set title heading
set ylabel label
set key outside right top
set grid ytics linecolor rgb "#dddddd"
set border 3
set tics nomirror
set yrange [0:*]

# Told apart by those who do not tell red from green, too.
set linetype 1 linecolor rgb "#0072b2" linewidth 2 pointtype 7
set linetype 2 linecolor rgb "#e69f00" linewidth 2 pointtype 5
set linetype 3 linecolor rgb "#009e73" linewidth 2 pointtype 9
set linetype 4 linecolor rgb "#cc79a7" linewidth 2 pointtype 11
set linetype 5 linecolor rgb "#56b4e9" linewidth 2 pointtype 13
set linetype 6 linecolor rgb "#d55e00" linewidth 2 pointtype 6
set linetype 7 linecolor rgb "#000000" linewidth 2 pointtype 4
set linetype 8 linecolor rgb "#999999" linewidth 2 pointtype 8
set linetype 9 linecolor rgb "#882255" linewidth 2 pointtype 10
set linetype 10 linecolor rgb "#b0a000" linewidth 2 pointtype 12

if (kind eq "bars" || kind eq "stacked") {
	set style data histograms
	set style fill solid 0.9 border -1
	set boxwidth 0.9
	set xtics rotate by -25 scale 0
	if (kind eq "stacked") {
		set style histogram rowstacked
		set boxwidth 0.5
	} else {
		set style histogram clustered gap 1
	}
	plot for [i=2:columns] data using i:xtic(1) title columnheader(i) \
		linetype i - 1
} else {
	set xlabel across
	if (scale ne "") {
		set yrange [*:*]
	}
	if (scale eq "y") {
		set logscale y
	}
	set style data linespoints
	plot for [i=2:columns] data using 0:i:xtic(1) title columnheader(i) \
		linetype i - 1
}
