-- Ghost text, with a server that answers what a test tells it.
local T = _G.T

-- The server's place: answer(params) gives items or nil; held answers come when released.
local fake = [[
  local text, options = ...
  _G.asked, _G.ran, _G.held = {}, {}, nil
  local function cmd(dispatchers)
    return {
      request = function(method, params, callback)
        local result = vim.NIL
        if method == 'initialize' then
          result = { capabilities = { positionEncoding = 'utf-16', textDocumentSync = 1, inlineCompletionProvider = true,
            executeCommandProvider = { commands = { 'taken' } } } }
        elseif method == 'textDocument/inlineCompletion' then
          table.insert(_G.asked, params)
          local line = vim.api.nvim_buf_get_lines(0, params.position.line, params.position.line + 1, false)[1]
          local items = {}
          for _, a in ipairs(_G.answers or {}) do
            table.insert(items, {
              insertText = a[1],
              range = { start = { line = params.position.line, character = 0 },
                ['end'] = { line = params.position.line, character = a[2] or params.position.character } },
              command = { title = 'taken', command = 'taken', arguments = { a[1] } },
            })
          end
          if params.context.triggerKind == 2 then items = { items[1] } end
          result = { items = items }
          if _G.hold then
            table.insert(_G.hold, function() callback(nil, result) end)
            return true, #_G.asked + 100
          end
        elseif method == 'workspace/executeCommand' then
          table.insert(_G.ran, params.arguments[1])
        end
        vim.schedule(function() callback(nil, result) end)
        return true, #_G.asked + 100
      end,
      notify = function(method)
        if method == 'exit' then dispatchers.on_exit(0, 0) end
        return true
      end,
      is_closing = function() return false end,
      terminate = function() end,
    }
  end
  require('seedling').setup(vim.tbl_extend('force', { cmd = cmd, next_edits = false }, options or {}))
  vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(text, '\n'))
  vim.bo.filetype = 'go'
]]

--- An editor with such a server.
function T.ghostly(text, answers, options)
  local e = T.editor(fake, text, options)
  T.eventually('a client', function()
    return e:lua([[return #vim.lsp.get_clients({ bufnr = 0, name = 'seedling' }) > 0]])
  end)
  e:lua('_G.answers = ...', answers)
  return e
end
local editor = T.ghostly

T.test('typed, seen, taken', function()
  local e = editor('x', { { 'return nil' } })
  e:type('ccret')
  e:sees('ret«urn nil»')
  e:type('u')
  e:sees('retu«rn nil»')
  e:type('<Tab>')
  e:sees('return nil')
  T.equal(e:lua('return _G.ran'), { 'return nil' }, 'the command of what was taken')
  T.equal(e:lua('return vim.api.nvim_win_get_cursor(0)'), { 1, 10 }, 'the cursor')
  e:type('!')
  e:sees('return nil!')
end)

T.test('Tab and what is typed behind it keep their order', function()
  local e = editor('x', { { 'return nil' } })
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:type('<Tab>;x')
  T.eventually('all of it', function()
    return e:lines() == 'return nil;x'
  end)
end)

T.test('typing along needs no answer and draws at once', function()
  local e = editor('x', { { 'return nil' } })
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:lua('_G.hold = {}')
  for i = 2, 9 do
    e:type(('return nil'):sub(i, i))
    e:settle()
    T.equal(e:screen(), ('return nil'):sub(1, i) .. '«' .. ('return nil'):sub(i + 1) .. '»', 'without an answer')
  end
  e:type('X')
  e:settle()
  T.equal(e:screen(), 'return niX', 'what was typed is not what was shown')
end)

T.test('an answer to another text is not drawn', function()
  local e = editor('x', { { 'return nil' } })
  e:lua('_G.hold = {}')
  e:type('ccr')
  T.eventually('asked', function()
    return e:lua('return #_G.hold') > 0
  end)
  e:lua([[
    local late = _G.hold
    _G.hold = {}
    vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'rather', 'other' })
    for _, f in ipairs(late) do f() end
  ]])
  e:settle()
  T.equal(e:screen(), 'rather\nother')
end)

T.test('no suggestion after deleting, undoing or walking', function()
  local e = editor('return x', { { 'return nil' } })
  e:type('A')
  T.eventually('asked on entering', function()
    return e:lua('return #_G.asked') == 1
  end)
  e:type('<BS><Left><Right>')
  e:settle()
  T.equal(e:lua('return #_G.asked'), 1, 'requests')
  T.equal(e:screen(), 'return ')
  e:type('n')
  e:sees('return n«il»')
  e:type('<BS>')
  e:sees('return ')
end)

T.test('a word, a line, several lines', function()
  local e = editor('x', { { 'if err != nil {\n\treturn err\n}' } })
  e:type('ccif')
  e:sees('if« err != nil {\n\treturn err\n}»')
  e:lua('_G.hold = {}') -- what is left needs no answer
  e:type('<M-Right>')
  e:sees('if err« != nil {\n\treturn err\n}»')
  e:type('<M-Right>')
  e:sees('if err !=« nil {\n\treturn err\n}»')
  e:type('<M-Down>')
  e:sees('if err != nil {«\n\treturn err\n}»')
  T.equal(e:lua('return _G.ran'), {}, 'not all was taken yet')
  e:type('<M-Down>')
  e:sees('if err != nil {\n\treturn err«\n}»')
  e:type('<Tab>')
  e:sees('if err != nil {\n\treturn err\n}')
  T.equal(e:lua('return vim.api.nvim_win_get_cursor(0)'), { 3, 1 }, 'the cursor')
end)

T.test('brackets behind the cursor are not doubled', function()
  local e = editor('f()', { { 'f(a, b)', 4 } }) -- the range goes over the bracket, when one character was typed
  e:type('$i')
  e:lua([[_G.answers = { { 'f(a, b)', 4 } }]])
  e:type('a')
  e:sees('f(a«, b»)')
  e:type('<Tab>')
  e:sees('f(a, b)')
end)

T.test('brackets that the editor closes are part of the answer', function()
  local e = editor('x', { { 'f(a, b)' } })
  e:lua([[vim.keymap.set('i', '(', '()<Left>')]])
  e:type('ccf')
  e:sees('f«(a, b)»')
  e:lua('_G.hold = {}')
  e:type('(')
  T.eventually('drawn around the bracket', function()
    return e:screen() == 'f(«a, b»)'
  end)
  e:type('<Tab>')
  e:sees('f(a, b)')
end)

T.test('cycling asks for several, once', function()
  local e = editor('x', { { 'return nil' }, { 'return err' }, { 'return x' } })
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:type('<M-]>')
  e:sees('r«eturn err 2/3»')
  e:type('<M-]>')
  e:sees('r«eturn x 3/3»')
  e:type('<M-]>')
  e:sees('r«eturn nil 1/3»')
  e:type('<M-[>')
  e:sees('r«eturn x 3/3»')
  T.equal(e:lua('local n = 0; for _, a in ipairs(_G.asked) do n = n + (a.context.triggerKind == 1 and 1 or 0) end; return n'), 1, 'asked by hand')
  e:type('<Tab>')
  e:sees('return x')
end)

T.test('dismissed', function()
  local e = editor('x', { { 'return nil' } })
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:type('<C-]>')
  e:sees('r')
  e:type('<Tab>')
  e:sees('r\t')
end)

T.test('one step of undo', function()
  local e = editor('x', { { 'return nil' } })
  e:type('ccret')
  e:sees('ret«urn nil»')
  e:type('<Tab>')
  e:sees('return nil')
  e:type('<Esc>u')
  e:sees('ret')
  e:type('u')
  e:sees('x')
end)

T.test('Tab keeps what it meant before', function()
  for map, want in pairs({
    [ [[vim.keymap.set('i', '<Tab>', function() return 'MINE' end, { expr = true })]] ] = 'aMINEb',
    [ [[vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({ 'MINE' }, 'c', false, true) end)]] ] = 'aMINEb',
    [ [[vim.cmd('inoremap <expr> <Tab> pumvisible() ? "\\<C-n>" : "MINE"')]] ] = 'aMINEb',
    [ [[vim.cmd('inoremap <Tab> MI<Left>NE<End>')]] ] = 'aMNEIb',
    [ [[vim.cmd('imap <Tab> XY') vim.cmd('inoremap Y MINE')]] ] = 'aXMINEb',
    [ [[vim.cmd('inoremap <Tab> <Nop>')]] ] = 'ab',
    [ '' ] = 'a\tb',
  }) do
    local e = T.editor('')
    e:lua(map)
    e:lua(fake, 'x', {})
    T.eventually('a client', function()
      return e:lua([[return #vim.lsp.get_clients({ bufnr = 0, name = 'seedling' }) > 0]])
    end)
    e:type('cca<Tab>b') -- in one burst
    e:sees(want)
    e:close()
  end
end)

T.test('characters of two units before the cursor', function()
  local e = editor('x', { { '"🙂é" + x' } })
  e:type('cc"🙂é"')
  e:sees('"🙂é"« + x»')
  T.equal(e:lua('return _G.asked[#_G.asked].position.character'), 5, 'UTF-16')
  e:type('<Tab>')
  e:sees('"🙂é" + x')
end)

T.test('silent in other files, and after leaving', function()
  local e = editor('x', { { 'return nil' } })
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:type('<Esc>')
  e:sees('r')
  e:lua([[vim.cmd.new(); vim.bo.filetype = 'text']])
  e:type('ihello<Esc>')
  e:settle()
  T.equal(e:screen(), 'hello')
end)

T.test("Neovim's own inline completion, where it has one", function()
  local e = T.editor('')
  if not e:lua('return vim.lsp.inline_completion ~= nil') then
    return
  end
  e:lua(fake, 'x', { ghost = 'native' })
  e:lua([[
    _G.answers = { { 'return nil' } }
    _G.ghost_namespace = 'nvim.lsp.inline_completion'
  ]])
  e:type('ccr')
  e:sees('r«eturn nil»')
  e:type('<Tab>')
  e:sees('return nil')
end)
