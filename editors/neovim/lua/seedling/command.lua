-- :Seedling
local M = {}

local client = require('seedling.client')

local function say(text, level)
  vim.notify('Seedling: ' .. text, level or vim.log.levels.INFO)
end

local function here()
  local c = client.of(0)
  if not c then
    say(client.program() and 'this buffer has no server (see :checkhealth seedling)' or client.hint(), vim.log.levels.WARN)
  end
  return c
end

local sub = {}

function sub.status()
  if not here() then
    return
  end
  local state, message, model = client.state()
  say(state .. (model ~= '' and ', model ' .. model or '') .. (message ~= '' and ': ' .. message or ''))
end

function sub.toggle()
  local on = require('seedling').options.settings.enable == false
  client.configure({ enable = on })
  require('seedling.ghost').dismiss(0)
  say(on and 'on' or 'off')
end

--- Writes the body of the function at the cursor.
function sub.fill()
  local c = here()
  if not c then
    return
  end
  local buf = vim.api.nvim_get_current_buf()
  local at = vim.lsp.util.make_position_params(0, c.offset_encoding)
  client.request(c, 'workspace/executeCommand', {
    command = 'seedling.writeFunction',
    arguments = { { uri = at.textDocument.uri, version = vim.lsp.util.buf_versions[buf], position = at.position } },
  }, function(err)
    if err then
      say(err.message, vim.log.levels.WARN)
    end
  end, buf)
end

--- Does what a code action says, after it was shown.
local function take(c, buf, action)
  if action.command then -- the server asks for its edit to be applied, which shows it
    return client.request(c, 'workspace/executeCommand', action.command, function(err)
      if err then
        say(err.message, vim.log.levels.WARN)
      end
    end, buf)
  end
  client.request(c, 'codeAction/resolve', action, function(err, whole)
    if err then
      return say(err.message, vim.log.levels.WARN)
    end
    local function apply(yes)
      if yes then
        vim.lsp.util.apply_workspace_edit(whole.edit, c.offset_encoding)
      end
    end
    if require('seedling').options.preview then
      require('seedling.preview').show(whole.edit, c.offset_encoding, action.title, apply)
    else
      apply(true)
    end
  end, buf)
end

--- Offers the model's changes of the lines, or of what a diagnostic of the line is about.
function sub.edit(args)
  local c = here()
  if not c then
    return
  end
  local buf, params = vim.api.nvim_get_current_buf(), nil
  local context = { triggerKind = 1, diagnostics = {} }
  if args.range > 0 then
    local last = vim.fn.getline(args.line2)
    params = vim.lsp.util.make_given_range_params({ args.line1, 0 }, { args.line2, #last }, buf, c.offset_encoding)
  else
    params = vim.lsp.util.make_range_params(0, c.offset_encoding)
    for _, d in ipairs(vim.diagnostic.get(buf, { lnum = vim.fn.line('.') - 1 })) do
      table.insert(context.diagnostics, d.user_data and d.user_data.lsp or nil)
    end
  end
  params.context = context
  client.request(c, 'textDocument/codeAction', params, function(err, actions)
    if err then
      return say(err.message, vim.log.levels.WARN)
    elseif not actions or #actions == 0 then
      return say('there is nothing that it would change here')
    elseif #actions == 1 then
      return take(c, buf, actions[1])
    end
    vim.ui.select(actions, {
      prompt = 'Seedling',
      kind = 'codeaction',
      format_item = function(a)
        return (a.title:gsub('^Seedling: ', ''))
      end,
    }, function(a)
      if a then
        take(c, buf, a)
      end
    end)
  end, buf)
end

function sub.next()
  require('seedling.nextedit').go()
end

function sub.stats()
  local program = client.program()
  if not program then
    return say(client.hint(), vim.log.levels.WARN)
  end
  vim.system({ program, 'stats' }, { text = true }, function(out)
    vim.schedule(function()
      say(vim.trim(out.stdout .. out.stderr))
    end)
  end)
end

function sub.log()
  local log = vim.lsp.log and vim.lsp.log.get_filename or vim.lsp.get_log_path
  vim.cmd.tabedit(vim.fn.fnameescape(log()))
end

function sub.restart()
  client.restart()
end

function M.complete(lead, line)
  if #vim.split(vim.trim(line), '%s+') > 2 then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.tbl_keys(sub))
end

function M.run(args)
  require('seedling').setup() -- for those who load the plugin late
  local name = args.fargs[1] or 'status'
  if not sub[name] then
    local names = vim.tbl_keys(sub)
    table.sort(names)
    return say(('there is no :Seedling %s; there are %s'):format(name, table.concat(names, ', ')), vim.log.levels.ERROR)
  end
  sub[name](args)
end

return M
