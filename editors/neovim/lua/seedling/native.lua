-- Keys for Neovim's own inline completion (0.12), when the option ghost is 'native'.
local M = {}
local mapped = false

function M.keys()
  if mapped then
    return
  end
  mapped = true
  local k = require('seedling').options.keys
  if k.accept then
    vim.keymap.set('i', k.accept, function()
      if not vim.lsp.inline_completion.get() then
        return k.accept
      end
    end, { expr = true, desc = 'Seedling: take the suggestion' })
  end
  for key, step in pairs({ [k.next or ''] = 1, [k.prev or ''] = -1 }) do
    if key ~= '' then
      vim.keymap.set('i', key, function()
        vim.lsp.inline_completion.select({ count = step })
      end, { desc = 'Seedling: another suggestion' })
    end
  end
end

return M
