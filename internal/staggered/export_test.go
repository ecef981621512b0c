package staggered

import "io"

// Remembered tells how many overtaken addresses d remembers.
func Remembered[C io.Closer](d *Dialer[C]) int { return len(d.order.slow) }
