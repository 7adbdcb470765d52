package memory

// worth is what a guess is worth.
type worth struct {
	weight float32 // of the mixture
	right  float32 // how often its first continuation is right
}

// table is by match and agreement (Guess.Agreement). It was measured with the built-in
// model of 16 M training tokens on repositories of its corpus (`seedling eval memory --cases
// 300 --seed 3` on eight in Go and seven in Python, 65,000 tokens), evened out by hand; a
// better model will want less weight for it.
var table = [Longest + 1][4]worth{
	2: {{0.15, 0.22}, {0.18, 0.43}, {0.34, 0.65}, {0.56, 0.82}},
	3: {{0.18, 0.25}, {0.30, 0.56}, {0.52, 0.78}, {0.68, 0.88}},
	4: {{0.19, 0.25}, {0.35, 0.62}, {0.56, 0.81}, {0.72, 0.90}},
	5: {{0.22, 0.26}, {0.40, 0.66}, {0.62, 0.83}, {0.77, 0.92}},
	6: {{0.25, 0.28}, {0.46, 0.69}, {0.66, 0.85}, {0.80, 0.93}},
	7: {{0.30, 0.30}, {0.52, 0.73}, {0.72, 0.88}, {0.83, 0.95}},
	8: {{0.48, 0.48}, {0.68, 0.83}, {0.84, 0.93}, {0.96, 0.99}},
}
