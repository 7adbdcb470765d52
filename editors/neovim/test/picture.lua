-- Makes the picture of the README: a real editor with the real server, cell by cell, as SVG.
--
--   SEEDLING=…/seedling nvim --clean --headless -l editors/neovim/test/picture.lua FILE.svg
local here = vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
local to = _G.arg[1]
_G.arg = { 'no test has this name' }
local exit = os.exit
os.exit = function() end
dofile(here .. '/run.lua')
os.exit = exit
local T = _G.T

local dir = vim.fn.tempname()
vim.fn.mkdir(dir, 'p')
vim.fn.writefile(T.before, dir .. '/load.go')
local e = T.editor(
  [[
    local program, file = ...
    vim.o.termguicolors, vim.o.number, vim.o.tabstop, vim.o.shiftwidth, vim.o.laststatus = true, true, 4, 4, 2
    vim.o.columns, vim.o.lines = 72, 26
    vim.o.autoindent = true
    vim.cmd('syntax on')
    vim.o.statusline = ' %f %m%=%{v:lua.require("seedling").statusline()} '
    require('seedling').setup({ cmd = { program, 'lsp' } })
    vim.cmd.cd(vim.fs.dirname(file))
    vim.cmd.edit('load.go')
  ]],
  vim.env.SEEDLING,
  dir .. '/load.go'
)
-- Colours are as a screen with 24 bits has them only while one is attached. What is drawn on
-- it goes to a terminal that nobody looks at.
local address = e:lua('return vim.fn.serverstart()')
vim.fn.jobstart({ vim.v.progpath, '--server', address, '--remote-ui' }, {
  pty = true,
  width = 72,
  height = 26,
  env = { TERM = 'xterm-256color', COLORTERM = 'truecolor' },
})
T.eventually('a screen', function()
  return e:lua('return #vim.api.nvim_list_uis() > 0 and vim.api.nvim_list_uis()[1].rgb')
end)
T.eventually('a server that is ready', function()
  return e:lua([[return (require('seedling.client').state())]]) == 'ready'
end)
e:type('19Go')
for _, keys in ipairs({ 'if', ' err', ' !=', ' nil', ' {', '<CR>', '\treturn', ' 0,', ' fmt' }) do
  e:type(keys)
  local seen = vim.wait(1500, function()
    return #(e:screen():match('«(.-)»') or '') > 6
  end, 5)
  if seen then
    break
  end
end
vim.wait(300)
e:lua("vim.cmd('redraw!')") -- attributes were numbered anew for the screen
vim.wait(300)
local rows, columns, cells = 26, 72, {}
for r = 0, rows - 1 do
  for c = 0, columns - 1 do -- one by one: within one request its attributes pile up
    local cell = vim.rpcrequest(e.job, 'nvim__inspect_cell', 1, r, c)
    local a = cell[2] or {}
    cells[#cells + 1] = { cell[1] or ' ', a.foreground or -1, a.background or -1, a.reverse and 1 or 0 }
  end
end
local normal = e:lua([[local n = vim.api.nvim_get_hl(0, { name = 'Normal' }) return { n.fg or 0xe0e2ea, n.bg or 0x14161b }]])
local w, h = 8.43, 18
local out = {
  ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">'):format(columns * w + 12, rows * h + 12),
  ('<rect width="100%%" height="100%%" fill="#%06x"/>'):format(normal[2]),
}
local function escape(s)
  return (s:gsub('&', '&amp;'):gsub('<', '&lt;'):gsub('>', '&gt;'))
end
for r = 0, rows - 1 do
  local c = 0
  while c < columns do
    local first = cells[r * columns + c + 1]
    local text, from = '', c
    while c < columns do
      local cell = cells[r * columns + c + 1]
      if cell[2] ~= first[2] or cell[3] ~= first[3] or cell[4] ~= first[4] then
        break
      end
      text, c = text .. (cell[1] == '' and ' ' or cell[1]), c + 1
    end
    local fg, bg = first[2] >= 0 and first[2] or normal[1], first[3] >= 0 and first[3] or normal[2]
    if first[4] == 1 then
      fg, bg = bg, fg
    end
    if bg ~= normal[2] then
      out[#out + 1] = ('<rect x="%.2f" y="%d" width="%.2f" height="%d" fill="#%06x"/>'):format(6 + from * w, 6 + r * h, (c - from) * w, h, bg)
    end
    if text:find('%S') then
      out[#out + 1] = ('<text x="%.2f" y="%d" fill="#%06x" textLength="%.2f" xml:space="preserve">%s</text>'):format(6 + from * w, 6 + r * h + 14, fg, (c - from) * w, escape(text))
    end
  end
end
out[#out + 1] = '</svg>'
vim.fn.writefile(out, to)
print(e:screen())
e:close()
exit(0)
