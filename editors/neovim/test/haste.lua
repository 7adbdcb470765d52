-- Typed in haste: what people hate is a key that is lost, a bracket that stands there twice, and
-- text that flickers.
local T = _G.T

-- A server that answers late and at random, with text that goes on as the line does, or not.
local restless = [[
  local seed, options = ...
  math.randomseed(seed)
  local pieces = { 'return nil', 'f(a, b)', '"x")', '] = {', 'if err != nil {\n\treturn err\n}', ')', '', 'é🙂' }
  local function cmd(dispatchers)
    return {
      request = function(method, params, callback)
        local result = vim.NIL
        if method == 'initialize' then
          result = { capabilities = { positionEncoding = 'utf-16', textDocumentSync = 1, inlineCompletionProvider = true } }
        elseif method == 'textDocument/inlineCompletion' then
          local p = params.position
          local line = vim.api.nvim_buf_get_lines(0, p.line, p.line + 1, false)[1] or ''
          local last = math.random(3) == 1 and vim.fn.strutf16len(line) or p.character
          local head = line:sub(1, vim.api.nvim_win_get_cursor(0)[2])
          result = { items = { { insertText = head .. pieces[math.random(#pieces)],
            range = { start = { line = p.line, character = 0 }, ['end'] = { line = p.line, character = last } } } } }
        end
        vim.defer_fn(function() callback(nil, result) end, method == 'initialize' and 0 or math.random(0, 12))
        return true, math.random(1e6)
      end,
      notify = function(method) if method == 'exit' then dispatchers.on_exit(0, 0) end return true end,
      is_closing = function() return false end,
      terminate = function() end,
    }
  end
  if options.plugin then
    require('seedling').setup({ cmd = cmd, next_edits = false })
  end
]]

-- As small plugins close brackets: the closing one is put, or gone over where it stands.
local autopairs = [[
  for open, close in pairs({ ['('] = ')', ['['] = ']', ['{'] = '}' }) do
    vim.keymap.set('i', open, open .. close .. '<Left>')
    vim.keymap.set('i', close, function()
      local c = vim.fn.col('.')
      return vim.fn.getline('.'):sub(c, c) == close and '<Right>' or close
    end, { expr = true })
  end
]]

-- None undoes: how much is one step of undo depends on the rhythm, with and without the plugin.
local keys = { 'r', 'e', 't', 'u', 'n', ' ', 'f', '(', 'a', ',', ')', '"', '[', ']', '{', '}', 'é', '<CR>', '<BS>', '<BS>', '<C-w>', '<Left>',
  '<Right>', '<Up>', '<End>', '<Esc>A', '<Esc>o', '<C-]>', '<M-]>', '<Del>', '<C-u>' }

T.test('whoever takes nothing has typed what they typed, however fast', function()
  for seed = 1, 6 do
    local random = T.random(seed)
    local bursts = {}
    for _ = 1, 25 do
      local burst = ''
      for _ = 1, random(12) do
        burst = burst .. keys[random(#keys)]
      end
      bursts[#bursts + 1] = burst
    end
    local texts, undone = {}, {}
    for i, plugin in ipairs({ false, true }) do
      local e = T.editor(autopairs)
      e:lua(restless, seed, { plugin = plugin })
      if not plugin then -- keys of the plugin that mean something else without it
        e:lua([[for _, k in ipairs({ '<C-]>', '<M-]>' }) do vim.keymap.set('i', k, function() end) end]])
      end
      local file = e.dir .. '/main.go'
      vim.fn.writefile({ 'func f() {', '\tx', '}' }, file)
      e:lua([[vim.cmd.edit(...)]], file)
      if plugin then
        T.eventually('a client', function()
          return e:lua([[return #vim.lsp.get_clients({ bufnr = 0, name = 'seedling' }) > 0]])
        end)
      end
      e:type('2GA')
      for _, burst in ipairs(bursts) do
        e:type(burst)
        vim.wait(plugin and random(20) or 1)
      end
      e:type('<Esc>')
      e:settle()
      texts[i] = e:lines()
      T.equal(e:screen():find('«', 1, true), nil, 'ghost text after leaving')
      T.equal(vim.trim(e:lua('return vim.fn.execute("messages")')), '', 'messages')
      e:type('999u')
      e:settle()
      undone[i] = e:lines()
      e:close()
    end
    T.equal(texts[2], texts[1], 'seed ' .. seed .. ', typed ' .. table.concat(bursts, ' '))
    T.equal(undone[2], undone[1], 'undone, seed ' .. seed)
  end
end)

-- Notes what is drawn: the line of the cursor with its ghost text, whenever the editor has drawn
-- and waits. (It draws twice on a key where there is syntax, and shows the second.)
local camera = [[
  _G.frames = {}
  local frame
  local ghost = vim.api.nvim_create_namespace('seedling.ghost')
  vim.api.nvim_set_decoration_provider(vim.api.nvim_create_namespace('camera'), {
    on_win = function(_, _, buf)
      local row = vim.api.nvim_win_get_cursor(0)[1] - 1
      local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
      local marks = vim.api.nvim_buf_get_extmarks(buf, ghost, { row, 0 }, { row, -1 }, { details = true })
      local seen = 0
      for i = #marks, 1, -1 do
        for _, c in ipairs(marks[i][4].virt_text or {}) do
          line = line:sub(1, marks[i][3]) .. c[1] .. line:sub(marks[i][3] + 1)
          seen = seen + 1
        end
      end
      if not frame then
        vim.schedule(function()
          table.insert(_G.frames, frame)
          frame = nil
        end)
      end
      frame = (seen > 0 and '+' or '-') .. line
    end,
  })
]]

T.test('what is typed along does not flicker', function()
  local e = T.ghostly('x', { { 'return fmt.Errorf("%w", err)' } })
  e:type('ccr')
  e:sees('r«eturn fmt.Errorf("%w", err)»')
  e:lua(camera)
  local text = 'return fmt.Errorf("%w", err'
  for i = 2, #text do
    e:type(text:sub(i, i))
    vim.wait(i % 3)
  end
  e:sees(text .. '«)»')
  local frames = e:lua('return _G.frames')
  assert(#frames > 5, 'frames')
  for _, f in ipairs(frames) do
    T.equal(f, '+return fmt.Errorf("%w", err)', 'a frame')
  end
end)

T.test('real: what is typed along does not flicker, nor change', function()
  local e = T.real()
  e:type('19Go')
  local seen
  for _, word in ipairs({ 'if', ' err', ' !=', ' nil', ' {', '<CR>return', ' 0', ',', ' fmt', '.E' }) do
    e:type(word)
    if vim.wait(1500, function()
      seen = e:screen():match('\n([^\n]*«[^»\n]+)»')
      return seen and #seen:match('«(.*)') > 6
    end, 5) then
      break
    end
  end
  assert(seen, 'no ghost text along\n' .. e:screen())
  local line, typed = seen:gsub('«', ''), #seen:match('^[^«]*')
  e:lua(camera)
  for i = typed + 1, #line - 1 do
    e:type(line:sub(i, i))
    vim.wait(30)
  end
  local frames = e:lua('return _G.frames')
  assert(#frames > 5, 'frames')
  for _, f in ipairs(frames) do
    T.equal(f, '+' .. line, 'a frame')
  end
end)

T.test('real: taken with brackets that the editor closes, none stands twice', function()
  for typed, want in pairs({ ['b, err := os.ReadFile('] = '\tb, err := os.ReadFile(path)', ['b, err := os.ReadFile(p'] = '\tb, err := os.ReadFile(path)' }) do
    local e = T.real()
    e:lua(autopairs)
    e:type('18Go' .. typed)
    T.eventually('ghost text along\n' .. e:screen(), function()
      return e:screen():find('«', 1, true)
    end)
    e:type('<Tab>')
    local line
    local ok = vim.wait(3000, function()
      line = vim.split(e:lines(), '\n')[19]
      return line == want
    end, 20)
    T.equal(line, want, typed)
    e:close()
  end
end)

T.test('taken in haste: keys before and behind Tab keep their places', function()
  local e = T.ghostly('x', { { 'return nil' } })
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:type('et<Tab>;<CR>ret<C-w>y') -- typed along and taken in one burst, before anything is drawn
  T.eventually('all of it:\n' .. e:lines(), function()
    return e:lines() == 'return nil;\ny'
  end)
end)

T.test('a Tab that comes too late is a Tab', function()
  local e = T.ghostly('x', { { 'return nil' } })
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:type('X<Tab>')
  e:sees('rX\t')
end)

T.test('in several lines at once', function()
  local e = T.ghostly('a\na\na', { { 'xyz = a' } })
  e:type('<C-v>jjI')
  e:lua([[_G.answers = { { 'xyz = a', 2 } }]])
  e:type('x')
  e:settle()
  vim.wait(100)
  e:type('<Tab><Esc>')
  e:settle()
  T.equal(e:lines(), 'xyz = a\nxyz = a\nxyz = a')
end)
