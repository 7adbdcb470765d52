package engine

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// The looks of a canvas cell: still masked, decided in this step, decided before.
var (
	maskedCell = lipgloss.NewStyle().Foreground(lipgloss.Color("240"))
	freshCell  = lipgloss.NewStyle().Foreground(lipgloss.Color("0")).Background(lipgloss.Color("114"))
	unsureCell = lipgloss.NewStyle().Foreground(lipgloss.Color("0")).Background(lipgloss.Color("222"))
	oldCell    = lipgloss.NewStyle().Foreground(lipgloss.Color("114"))
)

// Render draws the canvas as one line for a person to watch: masked positions as ░░,
// those decided in this step set off (green at 90 % or more, yellow below), line ends
// and tabs as ⏎ and ⇥, the end token as ∎. Without color, changes stand in ⟨⟩.
func (s Step) Render(color bool) string {
	var b strings.Builder
	for _, c := range s.Cells {
		text := strings.NewReplacer("\n", "⏎", "\t", "⇥").Replace(c.Text)
		if text == "" {
			text = "∎"
		}
		if c.Masked {
			text = "░░"
		}
		switch {
		case !color && c.Changed && !c.Masked:
			text = "⟨" + text + "⟩"
		case !color:
		case c.Masked:
			text = maskedCell.Render(text)
		case c.Changed && c.Prob >= 0.9:
			text = freshCell.Render(text)
		case c.Changed:
			text = unsureCell.Render(text)
		default:
			text = oldCell.Render(text)
		}
		b.WriteString(text)
	}
	return b.String()
}
