-- Ghost text: asked for with every key, drawn for the text that was answered and no other,
-- kept while a person types along.
local M = {}

local api = vim.api
local client = require('seedling.client')
local namespace = api.nvim_create_namespace('seedling.ghost')

---@class seedling.Suggestion
---@field start integer[] row and byte column of what `text` begins with, from 0
---@field text string that which stands from `start` to the cursor, and then the suggestion
---@field after string text behind the cursor that `text` takes the place of
---@field command table? run when it was taken

---@class seedling.State of a buffer
---@field all seedling.Suggestion[]
---@field index integer of the one that is shown
---@field by_hand boolean they were asked for by hand: there are no more of them
---@field tail string the rest of the line behind the cursor
---@field request integer? id of the one under way
---@field seen string the text and cursor that were last asked about
---@field bytes integer size of the text then
local states = {} ---@type table<integer, seedling.State>

local function inserting()
  return api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

local function cursor()
  local c = api.nvim_win_get_cursor(0)
  return c[1] - 1, c[2]
end

local function line_at(buf, row)
  return api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
end

local function bytes(buf)
  return api.nvim_buf_get_offset(buf, api.nvim_buf_line_count(buf))
end

--- The text between a place and the cursor; nil where the place is behind it or gone.
local function between(buf, start, row, col)
  if start[1] > row or start[1] == row and start[2] > col then
    return nil
  end
  local ok, lines = pcall(api.nvim_buf_get_text, buf, start[1], start[2], row, col, {})
  return ok and table.concat(lines, '\n') or nil
end

--- Whether the signs of `short` stand in `long` in their order, and where.
---@return integer[]? positions in long
local function within(short, long)
  local at, places = 1, {}
  for i = 1, #short do
    local p = long:find(short:sub(i, i), at, true)
    if not p then
      return nil
    end
    places[i], at = p, p + 1
  end
  return places
end

--- What is left of the shown suggestion at the cursor: nil when it does not go on there.
---@return string? rest, seedling.Suggestion?
local function rest_of(buf)
  local s = states[buf]
  local item = s and s.all[s.index]
  if not item then
    return nil
  end
  local row, col = cursor()
  local before = between(buf, item.start, row, col)
  if not before or item.text:sub(1, #before) ~= before or #before >= #item.text then
    return nil
  end
  local rest = item.text:sub(#before + 1)
  local tail = line_at(buf, row):sub(col + 1)
  if tail ~= s.tail then
    -- An editor that closes brackets by itself put some behind the cursor: they are part of
    -- the answer, and are not to stand there twice.
    local extra = #tail > #s.tail and vim.endswith(tail, s.tail) and tail:sub(1, #tail - #s.tail)
    if not extra or extra:find('[^%)%]}"\'`>]') or not within(extra .. item.after, rest) then
      return nil
    end
    item.after, s.tail = extra .. item.after, tail
  end
  return rest, item
end

local function clear(buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

--- Draws what is left of the shown suggestion.
---@return boolean drawn
local function draw(buf)
  clear(buf)
  local rest, item = rest_of(buf)
  if not rest or not item then
    return false
  end
  local s = states[buf]
  local row, col = cursor()
  local lines = vim.split(rest, '\n', { plain = true })
  local hint = s.by_hand and #s.all > 1 and { (' %d/%d'):format(s.index, #s.all), 'SeedlingHint' } or nil
  local below = {}
  for i = 2, #lines do
    below[#below + 1] = { { lines[i], 'SeedlingGhost' } }
  end
  local places = within(item.after, lines[1])
  if places and #lines == 1 then
    -- Around the signs that stand behind the cursor already.
    local at, from = col, 1
    for i, p in ipairs(places) do
      if p > from then
        api.nvim_buf_set_extmark(buf, namespace, row, at, {
          virt_text = { { lines[1]:sub(from, p - 1), 'SeedlingGhost' } },
          virt_text_pos = 'inline',
        })
      end
      at, from = col + i, p + 1
    end
    local last = { { lines[1]:sub(from), 'SeedlingGhost' } }
    if hint then
      last[#last + 1] = hint
    end
    if #lines[1] >= from or hint then
      api.nvim_buf_set_extmark(buf, namespace, row, at, { virt_text = last, virt_text_pos = 'inline' })
    end
    return true
  end
  local first = { { lines[1], 'SeedlingGhost' } }
  if hint then
    table.insert(#below > 0 and below[#below] or first, hint)
  end
  api.nvim_buf_set_extmark(buf, namespace, row, col, {
    virt_text = first,
    virt_text_pos = item.after == '' and 'inline' or 'overlay',
    virt_lines = #below > 0 and below or nil,
  })
  return true
end

--- Forgets what is shown and asked for.
function M.dismiss(buf)
  buf = (buf == nil or buf == 0) and api.nvim_get_current_buf() or buf
  local s = states[buf]
  if not s then
    return
  end
  clear(buf)
  s.all, s.index, s.by_hand = {}, 1, false
  local c = client.of(buf)
  if s.request and c then
    client.cancel(c, s.request)
  end
  s.request = nil
end

--- What the server's items are in bytes, in the buffer as it is.
local function understand(buf, c, result)
  local out = {}
  local row, col = cursor()
  for _, it in ipairs(result and (result.items or result) or {}) do
    local text = type(it.insertText) == 'table' and it.insertText.value or it.insertText
    local first, last = { row, col }, { row, col }
    if it.range then
      local function place(p)
        local l = line_at(buf, p.line)
        local ok, byte = pcall(vim.lsp.util._get_line_byte_from_position, buf, p, c.offset_encoding)
        return { p.line, math.min(ok and byte or p.character, #l) }
      end
      first, last = place(it.range.start), place(it.range['end'])
    end
    local after = ''
    if last[1] == row and last[2] > col then
      after = line_at(buf, row):sub(col + 1, last[2])
    end
    out[#out + 1] = { start = first, text = text, after = after, command = it.command }
  end
  return out
end

--- Asks for suggestions at the cursor.
---@param by_hand boolean
---@param then_? fun()
local function ask(buf, by_hand, then_)
  local s, c = states[buf], client.of(buf)
  if not s or not c then
    return
  end
  if s.request then
    client.cancel(c, s.request)
  end
  local params = vim.lsp.util.make_position_params(0, c.offset_encoding)
  params.context = { triggerKind = by_hand and 1 or 2 }
  if vim.fn.pumvisible() == 1 then
    local chosen = vim.fn.complete_info({ 'selected' }).selected
    if chosen >= 0 then
      s.request = nil
      return -- the entry is what a person looks at
    end
  end
  local tick = api.nvim_buf_get_changedtick(buf)
  local at = api.nvim_win_get_cursor(0)
  local id
  id = client.request(c, 'textDocument/inlineCompletion', params, function(err, result)
    if s.request ~= id then
      return -- another is under way
    end
    s.request = nil
    if err or not api.nvim_buf_is_valid(buf) or api.nvim_get_current_buf() ~= buf or not inserting() then
      return
    end
    if api.nvim_buf_get_changedtick(buf) ~= tick or not vim.deep_equal(at, api.nvim_win_get_cursor(0)) then
      return -- it is about another text
    end
    local row, col = at[1] - 1, at[2]
    s.all, s.index, s.by_hand = understand(buf, c, result), 1, by_hand
    s.tail = line_at(buf, row):sub(col + 1)
    if then_ then
      then_()
    end
    if not draw(buf) then
      s.all = {}
    end
    api.nvim_exec_autocmds('User', { pattern = 'SeedlingSuggestion', modeline = false })
  end, buf)
  s.request = id
end

--- The text or the cursor is another.
---@param entered boolean insert mode was just entered
local function moved(buf, entered)
  local s = states[buf]
  if not s or not inserting() or api.nvim_get_current_buf() ~= buf then
    return
  end
  local row, col = cursor()
  local tick = api.nvim_buf_get_changedtick(buf)
  local here = ('%d %d %d'):format(tick, row, col)
  if here == s.seen and not entered then
    return
  end
  local size, changed = bytes(buf), tick ~= s.tick
  local grew = size > s.bytes or size == s.bytes and changed
  s.seen, s.bytes, s.tick = here, size, tick
  local kept = draw(buf) -- at once: what is typed along stays where it is
  if not kept then
    M.dismiss(buf)
  end
  -- Whoever deletes, undoes or walks about wants no suggestion.
  if entered or changed and grew then
    ask(buf, false)
  elseif changed then
    M.dismiss(buf)
  end
end

--- Breaks the chain of undo, so that a suggestion is undone by itself.
local function undo_here()
  vim.cmd('let &l:undolevels = &l:undolevels')
end

--- Takes what is shown: 'all', 'line' or 'word' of it.
---@return boolean taken false where nothing is shown
function M.accept(what)
  local buf = api.nvim_get_current_buf()
  local rest, item = rest_of(buf)
  if not rest or not item then
    return false
  end
  local s = states[buf]
  local part = rest
  if what == 'word' then
    part = rest:match('^%s*[%w_\128-\255]+') or rest:match('^%s*[^%w%s_\128-\255]+') or rest
  elseif what == 'line' then
    part = rest:match('^\n?[^\n]*')
  end
  local row, col = cursor()
  -- Signs behind the cursor that the part takes in.
  local gone = 0
  local places = within(item.after, rest)
  if part == rest then
    gone = #item.after
  elseif places then
    for _, p in ipairs(places) do
      gone = gone + (p <= #part and 1 or 0)
    end
  end
  clear(buf)
  local lines = vim.split(part, '\n', { plain = true })
  undo_here()
  api.nvim_buf_set_text(buf, row, col, row, col + gone, lines)
  api.nvim_win_set_cursor(0, { row + #lines, (#lines == 1 and col or 0) + #lines[#lines] })
  undo_here()
  item.after = item.after:sub(gone + 1)
  local now, at = cursor()
  s.tail = line_at(buf, now):sub(at + 1)
  if part == rest then
    s.all, s.index = {}, 1
    local c = client.of(buf)
    if c and item.command then
      client.request(c, 'workspace/executeCommand', { command = item.command.command, arguments = item.command.arguments }, function() end, buf)
    end
  end
  return true
end

function M.shown()
  return (rest_of(api.nvim_get_current_buf()))
end

--- Shows another suggestion; asks for several when there is but the one that came by itself.
---@param step integer 1 or -1
function M.cycle(step)
  local buf = api.nvim_get_current_buf()
  local s = states[buf]
  if not s then
    return
  end
  local function turn()
    if #s.all > 1 then
      s.index = (s.index - 1 + step) % #s.all + 1
    end
  end
  if s.by_hand and #s.all > 0 and rest_of(buf) then
    turn()
    draw(buf)
    return
  end
  local had = s.all[s.index] and s.all[s.index].text
  ask(buf, true, function()
    if had and s.all[1] and s.all[1].text == had then
      turn() -- the first of them is known
    end
  end)
end

--- Does what a key meant before it was ours. Its keys go to the front of what is still to be
--- read, so that nothing that was typed behind it comes before it.
local function as_before(key, before)
  local keys, flags = key, 'in'
  if before.callback or before.rhs then
    flags = before.noremap == 1 and 'in' or 'im'
    if before.callback then
      keys = before.callback()
    elseif before.expr == 1 then
      keys = api.nvim_eval((before.rhs:gsub('<[sS][iI][dD]>', ('<SNR>%d_'):format(before.sid))))
    else
      keys = before.rhs:lower() ~= '<nop>' and before.rhs or ''
    end
    if before.callback and before.expr ~= 1 or type(keys) ~= 'string' then
      return
    end
  end
  if before.expr ~= 1 or before.replace_keycodes == 1 then
    keys = api.nvim_replace_termcodes(keys, true, true, true)
  end
  api.nvim_feedkeys(keys, flags, false)
end

local function map(key, what, desc)
  if not key then
    return
  end
  local before = vim.fn.maparg(key, 'i', false, true)
  -- No mapping with <expr>: when keys come fast, Neovim looks ahead and evaluates it before those
  -- that were typed in front of it are in the text.
  vim.keymap.set('i', key, function()
    if not M.accept(what) then
      as_before(key, before)
    end
  end, { desc = desc })
end

local mapped = false

local function keys()
  if mapped then
    return
  end
  mapped = true
  local k = require('seedling').options.keys
  map(k.accept, 'all', 'Seedling: take the suggestion')
  map(k.accept_word, 'word', 'Seedling: take a word of the suggestion')
  map(k.accept_line, 'line', 'Seedling: take a line of the suggestion')
  local function plain(key, fn, desc)
    if key then
      vim.keymap.set('i', key, fn, { desc = desc })
    end
  end
  plain(k.next, function()
    M.cycle(1)
  end, 'Seedling: the next suggestion')
  plain(k.prev, function()
    M.cycle(-1)
  end, 'Seedling: the suggestion before')
  plain(k.dismiss, function()
    M.dismiss()
  end, 'Seedling: no suggestion')
end

--- Shows ghost text in a buffer.
function M.attach(buf)
  if require('seedling').options.ghost == 'native' and vim.lsp.inline_completion then
    vim.lsp.inline_completion.enable(true, { bufnr = buf })
    require('seedling.native').keys()
    return
  end
  keys()
  if states[buf] then
    return
  end
  states[buf] = { all = {}, index = 1, by_hand = false, tail = '', seen = '', bytes = bytes(buf), tick = api.nvim_buf_get_changedtick(buf) }
  local group = api.nvim_create_augroup('seedling.ghost.' .. buf, {})
  local function on(events, fn)
    api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = fn })
  end
  on({ 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, function()
    moved(buf, false)
  end)
  on('InsertEnter', function()
    -- The mode is told before the editor is in it.
    vim.schedule(function()
      moved(buf, true)
    end)
  end)
  on({ 'InsertLeave', 'BufLeave' }, function()
    M.dismiss(buf)
  end)
  on('BufWipeout', function()
    states[buf] = nil
    api.nvim_del_augroup_by_id(group)
  end)
  if api.nvim_get_current_buf() == buf and inserting() then
    moved(buf, true)
  end
end

return M
